mxr::network!(
    pub fn Net(data: Tensor) {
        relu(data)
    }
);

fn main() {}
