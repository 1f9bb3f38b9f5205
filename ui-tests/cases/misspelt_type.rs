mxr::network!(
    pub fn Net(data: Tenser<N, 3, 32, 32>) {
        relu(data)
    }
);

fn main() {}
