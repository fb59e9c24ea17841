//! A finding or a breach as those see it who did not watch: in words, for patterns to match and fingerprints to be made of.

/// One function of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// the function; empty when not known
    pub function: String,
    /// kernel module, or the base name of the binary; empty for the kernel proper or when not known
    pub module: String,
    /// source file; empty when not known
    pub file: String,
    /// source line; 0 when not known
    pub line: u32,
}

/// What a pattern can ask of a finding or a breach. All text is as it came, not escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// its number
    pub number: u32,
    /// stable name of the rule or assertion
    pub rule: String,
    /// `leak`, `violation`, `misuse`, `near-miss`; `assertion` for a breach
    pub class: String,
    /// names of the processes whose doing it is: who took what leaked, or who broke the rule; then the other one of the two
    pub processes: Vec<String>,
    /// device nodes and drivers: `card0`, `vgem`, and a dma-buf's exporter
    pub devices: Vec<String>,
    /// user stack of who did it, innermost first, inlined functions too; wrappers of libc and libdrm left in
    pub user: Vec<Frame>,
    /// kernel stack, innermost first
    pub kernel: Vec<Frame>,
    /// how many references it speaks for
    pub count: u64,
    /// their bytes
    pub bytes: u64,
}
