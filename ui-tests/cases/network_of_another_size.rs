mxr::network!(
    use ui_tests::nets::Backbone;

    pub fn Net(data: Tensor<N, 1, 16, 16>) {
        Backbone(data)
    }
);

fn main() {}
