mod blocks {
    mxr::network!(
        pub fn residual(x: Tensor<N, C, H, W>) {
            relu(conv2d(x, C, kernel = 3, padding = 1) + x)
        }
    );
}

mxr::network!(
    use blocks::residual;

    pub fn Net(data: Tensor<N, 3, 4, 4>) {
        let a = residual(data);
        global_avg_pool(residual(a))
    }
);

fn main() {
    let _ = (Net::a, Net::bind(2));
}
