//! What the driver and the monitor tell each other. The driver has the terminal, the clock and the source of records; the
//! monitor has none of them.

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// None (`NO_COLOR`): bold, underlined and reversed only.
    None,
    /// The sixteen that every terminal has, as the user's theme defines them.
    #[default]
    Sixteen,
    /// Those of the palette of 256 too.
    Rich,
}

/// What does not change while the monitor runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// how many colours
    pub colour: Colour,
    /// the locale is not UTF-8: ASCII only
    pub ascii: bool,
    /// a recording is played: time can be moved
    pub replay: bool,
}

/// When the fds of all processes were looked at last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanAge {
    /// when, `CLOCK_MONOTONIC` ns
    pub at_ns: u64,
    /// processes that could not be read
    pub unreadable: u32,
}

/// Where a finding was made in a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SliderMark {
    /// the record that made it
    pub seq: u64,
    /// the finding's number
    pub number: u32,
    /// no loss can have made it
    pub certain: bool,
}

/// Where a replay is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Position {
    /// records taken in
    pub seq: u64,
    /// records of the recording
    pub len: u64,
    /// time of the last record taken in, `CLOCK_MONOTONIC` ns
    pub ts_ns: u64,
    /// of the first
    pub start_ns: u64,
    /// of the last
    pub end_ns: u64,
    /// time goes on by itself
    pub playing: bool,
    /// how fast, 1 for as it was
    pub speed: f64,
    /// findings, by rising record
    pub marks: Vec<SliderMark>,
}

/// What only the driver knows. Texts are escaped already.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// `live`, the name of a trace, or `model:…`
    pub source: String,
    /// events in the last second or so
    pub events_per_s: f64,
    /// records lost so far
    pub drops: u64,
    /// records that wait to be taken in
    pub lag: usize,
    /// when the fds of all processes were looked at last; `None` if never
    pub scan: Option<ScanAge>,
    /// where a replay is
    pub position: Option<Position>,
    /// one line for the user
    pub message: Option<String>,
    /// nothing more will come
    pub ended: bool,
}

/// What the driver is asked to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// End.
    Quit,
    /// Pictures stand still (true) or go on; in a replay time does.
    Pause(bool),
    /// Go to the state after this many records.
    Seek(u64),
    /// Go on, or back, by so many records.
    Step(i64),
    /// Go on, or back, by so many happenings.
    StepHappening(i64),
    /// Play this fast from now on.
    Speed(f64),
    /// Write the finding with this number to a file: [`gemscope_report::text::bug_report`].
    SaveFinding(u32),
    /// Look at the fds of all processes now.
    Refresh,
}
