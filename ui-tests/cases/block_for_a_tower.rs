mxr::network!(
    fn embed(x: Tensor) {
        dense(x, 4)
    }

    pub fn Net(a: Tensor<N, 8>) {
        let tower = embed::new();
        relu(tower) + embed(a)
    }
);

fn main() {}
