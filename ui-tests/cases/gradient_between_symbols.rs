mxr::network!(
    pub fn Net(a: Tensor<N, 8>, b: Tensor<T, 8>) {
        let left = dense(a, 4);
        let right = dense(b, 4);
        sum(concat(left, right, axis = 0))
    }
);

fn main() {}
