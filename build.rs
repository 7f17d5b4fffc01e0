//! Compiles every file under `proto/` into the contract crate, with no protoc to install.
//!
//! Three things come out: the messages and tonic stubs, the descriptor set with all its options (what servers read
//! policy from), and the checks that the `buf.validate` rules and the required fields ask for.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost_reflect::DescriptorPool;

#[path = "proto/build/checks.rs"]
mod checks;
#[path = "proto/build/names.rs"]
mod names;
#[path = "proto/build/rules.rs"]
mod rules;

#[expect(clippy::disallowed_methods, reason = "cargo tells build scripts by the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let root = Path::new("proto");
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();

    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&files)?;
    let encoded = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptors.bin"), &encoded)?;

    let mut names = prost_build::Config::new();
    names.enable_type_names(); // an event's full name is its routing key
    tonic_prost_build::configure()
        .include_file("contract.rs")
        .codec_path("crate::codec::Codec")
        .compile_fds_with_config(compiler.file_descriptor_set(), names)?;

    let pool = DescriptorPool::decode(encoded.as_slice())?;
    fs::write(out.join("checks.rs"), checks::Checks::new(&pool)?.generate())?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
