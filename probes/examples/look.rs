//! scratch
use gemscope_probes::*;
fn main() {
    for f in std::env::args().skip(1) {
        let t = std::time::Instant::now();
        let b = std::fs::read(&f).unwrap();
        let v = image::vmlinux(&b).unwrap();
        let t1 = t.elapsed();
        let mut s = symbols::Builder::default();
        let r = image::collect_symbols(&v, &mut s);
        let s = s.build();
        println!(
            "{f} {r:?} {} {t1:?} {:?} btf {:?}",
            s.len(),
            t.elapsed(),
            module::Elf::parse(&v).unwrap().btf().map(<[u8]>::len)
        );
        for n in [
            "filp_close",
            "filp_flush",
            "dma_buf_fops",
            "dma_buf_fd_install",
            "dma_buf_put",
            "__tracepoint_dma_buf_put",
            "dma_buf_release",
        ] {
            println!("  {n} {:?}", s.lookup(n).collect::<Vec<_>>());
        }
    }
}
