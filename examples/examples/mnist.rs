//! Trains LeNet on MNIST (or a data set in its format: Fashion-MNIST, KMNIST, EMNIST).
//!
//! ```sh
//! cargo run --release --example mnist -- FOLDER
//! cargo run --release --example mnist -- FOLDER --epochs 10 --checkpoint run/lenet
//! cargo run --release --example mnist -- FOLDER --epochs 20 --checkpoint run/lenet --resume
//! ```
//!
//! FOLDER holds the four files `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
//! `t10k-labels-idx1-ubyte`, gzipped or not. With `--checkpoint`, `PREFIX-0001.params` and so on hold the network after
//! each epoch; `--resume` goes on from the last one and ends with the same bits as a run that did not stop.

use clap::Parser;
use mxr::init::Xavier;
use mxr::io::iter::{DataIter, LastBatch, MnistIter, MnistPart};
use mxr::metric::{Accuracy, Metric};
use mxr::optimizer::Sgd;
use mxr::schedule::Step;
use mxr::train::{Fit, evaluate};
use mxr::{BindOptions, Device};
use mxr_examples::zoo::lenet::LeNet;
use std::path::PathBuf;
use std::process::ExitCode;

/// Train LeNet on MNIST.
#[derive(Debug, Parser)]
struct Options {
    /// The folder with the four idx files, gzipped or not.
    folder: PathBuf,
    /// Passes over the training images in all, those before a checkpoint included.
    #[arg(long, default_value_t = 2)]
    epochs: u32,
    /// Write parameters and optimizer states after every epoch to PREFIX-NNNN.params and PREFIX-NNNN.states.
    #[arg(long, value_name = "PREFIX")]
    checkpoint: Option<PathBuf>,
    /// Go on from the last checkpoint.
    #[arg(long, requires = "checkpoint")]
    resume: bool,
    /// Of the start values and the order of images.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Images in a batch.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Threads; as many as there are cores by default.
    #[arg(long)]
    threads: Option<usize>,
    /// No progress.
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(accuracy) => {
            println!("test accuracy: {accuracy:.4}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<f64, mxr::Error> {
    let mut train = MnistIter::new(&options.folder, MnistPart::Train, options.batch)?
        .shuffle(options.seed)
        .last_batch(LastBatch::Discard)?;
    let mut test = MnistIter::new(&options.folder, MnistPart::Test, options.batch)?;

    let device = options.threads.map_or_else(|| Ok(Device::cpu()), Device::cpu_with_threads)?;
    let bind = BindOptions::new().device(&device).seed(options.seed);
    let mut net = LeNet::bind_with(options.batch, bind)?;
    net.init(&Xavier::default(), options.seed)?;

    // Each epoch at 0.3 of the rate of the one before, however many there will be: so a run can be stopped and resumed.
    let epoch = train.batches().unwrap_or(1) as u64;
    let sgd = Sgd::new(0.05).momentum(0.9).weight_decay(1e-4).schedule(Step::every(epoch, 0.3));
    let mut fit = Fit::new(sgd)
        .epochs(options.epochs)
        .validation(&mut test)
        .progress(!options.quiet)
        .resume(options.resume);
    if let Some(prefix) = &options.checkpoint {
        fit = fit.checkpoint(prefix);
    }
    fit.run(&mut net, &mut train)?;

    let mut accuracy = Accuracy::default();
    evaluate(&mut net, &mut test, &mut [&mut accuracy])?;
    Ok(accuracy.value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mxr_examples::digits::Digits;
    use std::error::Error;
    use std::fs;
    use std::path::Path;

    /// A folder that is gone when the test is over.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Result<Folder, Box<dyn Error>> {
            let path = std::env::temp_dir().join(format!("mxr-mnist-{}-{name}", std::process::id()));
            fs::create_dir_all(&path)?;
            Ok(Folder(path))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // What is left in the temporary folder is no fault of the test.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// The digits of 8 by 8 pixels, three times as large within 28 by 28, in MNIST's files.
    fn write_idx(folder: &Path) -> Result<(), Box<dyn Error>> {
        let digits = Digits::all()?;
        let (pixels, labels) = (digits.pictures.as_slice::<f32>()?, digits.labels.as_slice::<i64>()?);
        for (part, lines) in [("train", 0..640), ("t10k", 640..960)] {
            let n = u32::try_from(lines.len())?.to_be_bytes();
            let mut images = [&[0, 0, 8, 3], &n[..], &28u32.to_be_bytes(), &28u32.to_be_bytes()].concat();
            for picture in pixels[lines.start * 64..lines.end * 64].chunks_exact(64) {
                for (y, x) in (0..28).flat_map(|y| (0..28).map(move |x| (y, x))) {
                    let inside = (2..26).contains(&y) && (2..26).contains(&x);
                    let ink = if inside { picture[(y - 2) / 3 * 8 + (x - 2) / 3] } else { 0.0 };
                    images.push((ink * 255.0) as u8);
                }
            }
            let mut classes = [&[0, 0, 8, 1], &n[..]].concat();
            classes.extend(labels[lines].iter().map(|l| *l as u8));
            fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images)?;
            fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), classes)?;
        }
        Ok(())
    }

    fn trained(folder: &Path, prefix: &str, words: &[&str]) -> Result<f64, Box<dyn Error>> {
        let (folder, prefix) = (folder.display().to_string(), folder.join(prefix).display().to_string());
        let all = [&["mnist", &folder, "--quiet", "--batch", "32", "--checkpoint", &prefix], words].concat();
        Ok(run(&Options::try_parse_from(all)?)?)
    }

    #[test]
    fn stopping_and_resuming_ends_with_the_bits_of_not_stopping() -> Result<(), Box<dyn Error>> {
        let folder = Folder::new("resume")?;
        write_idx(&folder.0)?;
        let accuracy = trained(&folder.0, "whole", &["--epochs", "3", "--threads", "1"])?;
        assert!(accuracy > 0.8, "{accuracy}");
        trained(&folder.0, "parts", &["--epochs", "1", "--threads", "2"])?;
        assert_eq!(trained(&folder.0, "parts", &["--epochs", "3", "--threads", "2", "--resume"])?, accuracy);
        let bytes = |name: &str| fs::read(folder.0.join(name));
        for file in ["0003.params", "0003.states"] {
            assert_eq!(bytes(&format!("whole-{file}"))?, bytes(&format!("parts-{file}"))?, "{file}");
        }
        Ok(())
    }

    #[test]
    fn a_folder_without_the_files_is_an_error_that_names_them() {
        let options = Options::try_parse_from(["mnist", "no-such-folder"]).expect("these are options");
        let e = run(&options).expect_err("there is no such folder").to_string();
        assert!(e.contains("train-images-idx3-ubyte"), "{e}");
    }
}
