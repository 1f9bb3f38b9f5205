mxr::network!(
    fn embed(x: Tensor) {
        dense(x, 4)
    }

    pub fn Net(a: Tensor<N, 8>, b: Tensor<N, 6>) {
        let tower = embed::new();
        tower(a) + tower(b)
    }
);

fn main() {}
