//! Lets the BPF linker turn small copies and clears into plain stores, which it does not do on its own: a call to a
//! byte-wise loop costs more, at run time and in the verifier.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("bpf") {
        println!("cargo::rustc-link-arg-bins=--disable-expand-memcpy-in-order");
    }
}
