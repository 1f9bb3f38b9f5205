mxr::network!(
    pub fn Inner(data: Tensor<N, 10>) {
        relu(data)
    }

    pub fn Outer(image: Tensor<N, 10>) {
        Inner(image)
    }
);

fn main() {}
