//! What will be attached on one kernel, what will not and why, and what is blind then.

use std::collections::BTreeSet;

use gemscope_common::{Features, ProbeId, Profile};

use crate::btf::Proto;
use crate::catalogue::{self, ADDRESSES, ProgramKind, RESTS_ON, Row, Target};
use crate::facts::KernelFacts;
use crate::fields::Field;
use crate::symbols::Symbol;

/// What the user wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// Also probes that fire very often.
    pub hot: bool,
    /// Not these.
    pub deny: Vec<ProbeId>,
    /// Only these, hot or not.
    pub only: Option<Vec<ProbeId>>,
}

/// The plan for one kernel.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every row of the catalogue with what becomes of it.
    pub probes: Vec<Planned>,
    /// Values for the globals of the BPF object: all of them, also the unknown ones.
    pub globals: Vec<Global>,
    /// The kernel's rule era.
    pub profile: Profile,
    /// The kernel's features.
    pub features: Features,
}

/// One row and what becomes of it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The row.
    pub row: &'static Row,
    /// What becomes of it.
    pub outcome: Outcome,
    /// Findings of the row that it does not show on this kernel even when it is attached, and why, in words.
    pub unseen: Vec<(&'static str, String)>,
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is attached to.
    Attach {
        /// Where, with which program; programs of entry and return of one symbol follow each other.
        sites: Vec<Site>,
        /// What it will not see, in words: optional fields that are not known, targets that are refused.
        notes: Vec<String>,
    },
    /// The kernel does not offer it.
    Missing {
        /// Why, in words.
        reason: String,
        /// Something of this kernel goes unseen. False where the kernel does not have what the probe looks at.
        blinds: bool,
    },
    /// It is not wanted.
    Off {
        /// Why, in words.
        reason: String,
    },
}

/// One attachment of one BPF program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Name of the program in the BPF object.
    pub program: String,
    /// How it is attached.
    pub kind: ProgramKind,
    /// Kernel symbol.
    pub symbol: String,
    /// The module that the symbol is in; `None` for the kernel itself.
    pub module: Option<String>,
    /// Address of the symbol; `None` when not known.
    pub address: Option<u64>,
    /// The name stands for several symbols: attach by [`Self::qualified`] or by address.
    pub ambiguous: bool,
}

impl Site {
    /// The symbol as the kernel's probe interface takes it where a name alone is not enough: `MODULE:SYMBOL`.
    #[must_use]
    pub fn qualified(&self) -> String {
        match &self.module {
            Some(module) => format!("{module}:{}", self.symbol),
            None => self.symbol.clone(),
        }
    }
}

/// A value for a global of the BPF object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Global {
    /// Its name.
    pub name: &'static str,
    /// Its value, with the global's own width.
    pub value: GlobalValue,
}

/// The value of a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalValue {
    /// A `u32`: a field offset, [`crate::fields::UNKNOWN`] when not known.
    U32(u32),
    /// A `u64`: an address, 0 when not known.
    U64(u64),
}

/// Makes the plan.
#[must_use]
pub fn plan(facts: &KernelFacts, options: &PlanOptions) -> Plan {
    let planned = |row| Planned { row, outcome: outcome(facts, options, row), unseen: unseen(facts, row) };
    let probes = catalogue::rows().map(planned).collect();
    let offsets = Field::ALL
        .iter()
        .map(|&f| Global { name: f.global(), value: GlobalValue::U32(facts.offsets.global_value(f)) });
    let addresses = ADDRESSES
        .iter()
        .map(|a| Global { name: a.global, value: GlobalValue::U64(address(facts, a.symbol).unwrap_or(0)) });
    Plan {
        probes,
        globals: offsets.chain(addresses).collect(),
        profile: facts.profile,
        features: facts.features,
    }
}

impl Plan {
    /// The probes that are attached.
    pub fn attached(&self) -> impl Iterator<Item = &'static Row> {
        self.probes.iter().filter(|p| matches!(p.outcome, Outcome::Attach { .. })).map(|p| p.row)
    }

    /// The probes whose absence leaves something unseen.
    pub fn blinding(&self) -> impl Iterator<Item = &'static Row> {
        self.probes.iter().filter(|p| p.blinds()).map(|p| p.row)
    }

    /// The numbers of the rules that rest on a probe that is not there.
    #[must_use]
    pub fn blinded_rules(&self) -> BTreeSet<u8> {
        self.blinding().flat_map(|row| row.rules).copied().collect()
    }

    /// Every attachment, in catalogue order.
    pub fn sites(&self) -> impl Iterator<Item = (ProbeId, &Site)> {
        self.probes.iter().flat_map(|p| match &p.outcome {
            Outcome::Attach { sites, .. } => sites.iter().map(|s| (p.row.id, s)).collect::<Vec<_>>(),
            _ => Vec::new(),
        })
    }
}

impl Planned {
    /// Does the row's absence leave something of this kernel unseen?
    #[must_use]
    pub const fn blinds(&self) -> bool {
        match self.outcome {
            Outcome::Attach { .. } => false,
            Outcome::Missing { blinds, .. } => blinds,
            Outcome::Off { .. } => true,
        }
    }

    /// Why the row does not show a finding that it serves, in one sentence; `None` when it does, when it is off, or when
    /// this kernel does not have what the row would show.
    #[must_use]
    pub fn hides(&self, finding: &str) -> Option<String> {
        let Self { row, outcome, unseen } = self;
        let name = row.id.name();
        match outcome {
            Outcome::Missing { reason, blinds: true } if row.findings.contains(&finding) => {
                Some(format!("{name} is missing ({reason}): {}", row.blind))
            }
            Outcome::Attach { .. } => {
                let (_, why) = unseen.iter().find(|(hidden, _)| *hidden == finding)?;
                Some(format!("{name} does not show it: {why}"))
            }
            _ => None,
        }
    }

    /// One sentence for a report's header; `None` when there is nothing to say.
    #[must_use]
    pub fn degradation(&self) -> Option<String> {
        let name = self.row.id.name();
        match &self.outcome {
            Outcome::Attach { notes, .. } if notes.is_empty() => None,
            Outcome::Attach { notes, .. } => Some(format!("{name}: {}", notes.join("; "))),
            Outcome::Missing { blinds: false, .. } => None,
            Outcome::Missing { reason, .. } => {
                Some(format!("{name} is missing ({reason}): {}", self.row.blind))
            }
            Outcome::Off { reason } => Some(format!("{name} is off ({reason}): {}", self.row.blind)),
        }
    }
}

fn outcome(facts: &KernelFacts, options: &PlanOptions, row: &'static Row) -> Outcome {
    let off = |reason: &str| Outcome::Off { reason: reason.to_owned() };
    match &options.only {
        Some(only) if !only.contains(&row.id) => return off("not among the probes asked for"),
        None if row.hot && !options.hot => return off("fires often: ask for hot probes"),
        _ if options.deny.contains(&row.id) && row.hot => return off("not asked for"),
        _ => {}
    }
    match possible(facts, row) {
        // The kernel has what this probe would show: without it something goes unseen.
        Outcome::Attach { .. } if options.deny.contains(&row.id) => {
            Outcome::Missing { reason: "left out on request".to_owned(), blinds: true }
        }
        outcome => outcome,
    }
}

/// What the kernel offers for a row.
fn possible(facts: &KernelFacts, row: &'static Row) -> Outcome {
    let missing = |reason: String| Outcome::Missing { reason, blinds: true };
    if let Some((field, why)) = row.required.iter().find_map(|&f| Some((f, facts.offsets.why_not(f)?))) {
        return missing(format!("needs `{}.{}`: {why}", field.type_name(), field.path()));
    }
    // A kernel that is not running has the symbol and no address yet.
    let addresses = facts.symbols.has_addresses();
    let has =
        |symbol: &str| if addresses { address(facts, symbol).is_some() } else { facts.symbols.has(symbol) };
    let needs = ADDRESSES.iter().find(|a| a.required_by == Some(row.id) && !has(a.symbol));
    if let Some(needs) = needs {
        return missing(format!("needs the address of `{}`", needs.symbol));
    }
    attach(facts, row)
}

/// The row's findings that rest on a field which is not known.
fn unseen(facts: &KernelFacts, row: &Row) -> Vec<(&'static str, String)> {
    let mut unseen = Vec::new();
    for &(field, findings) in RESTS_ON {
        let Some(why) = facts.offsets.why_not(field) else { continue };
        let hidden = findings.iter().filter(|f| row.findings.contains(f));
        unseen.extend(
            hidden.map(|&f| (f, format!("it needs `{}.{}`: {why}", field.type_name(), field.path()))),
        );
    }
    unseen
}

/// What a row that is attached will leave out.
fn notes(facts: &KernelFacts, row: &Row) -> Vec<String> {
    let unknown = row.optional.iter().copied().flatten().filter(|&&f| {
        // A member that this kernel's struct does not have is no loss; a member that cannot be found is, and one that every
        // kernel has in some place.
        let everywhere = RESTS_ON.iter().any(|(needed, _)| *needed == f);
        let lost = facts
            .offsets
            .why_not(f)
            .is_some_and(|why| everywhere || !matches!(why, crate::btf::WhyNot::NoMember(..)));
        lost && !is_newer(facts, f)
    });
    let mut names: Vec<_> = unknown.map(|f| format!("`{}.{}`", f.type_name(), f.path())).collect();
    names.sort();
    names.dedup();
    if names.is_empty() { Vec::new() } else { vec![format!("not read: {}", names.join(", "))] }
}

/// Did the member come with something that this kernel does not have?
fn is_newer(facts: &KernelFacts, field: Field) -> bool {
    match field {
        Field::FileClientId => !facts.symbols.has("drm_show_fdinfo"),
        Field::FbInternalFlags => !facts.features.has(Features::FB_HANDLE_REFS),
        Field::MapAddress => facts.btf.is_some(),
        _ => false,
    }
}

/// Why no symbol of a target can be used.
enum NoSite {
    /// There is no such symbol.
    Absent,
    /// There is one, and it is not what the programs were written for.
    Refused(String),
}

fn attach(facts: &KernelFacts, row: &'static Row) -> Outcome {
    let (mut sites, mut refused, mut absent) = (Vec::new(), Vec::new(), Vec::new());
    for target in row.targets {
        match choose(facts, row, target) {
            Ok((symbol, ambiguous)) => sites.extend(row.programs().into_iter().map(|program| Site {
                program: program.name,
                kind: program.kind,
                symbol: symbol.name.to_owned(),
                module: (symbol.module != crate::symbols::VMLINUX).then(|| symbol.module.to_owned()),
                address: (symbol.address != 0).then_some(symbol.address),
                ambiguous,
            })),
            Err(NoSite::Absent) => absent.extend(target.symbols.iter().map(|s| format!("`{}`", s.name))),
            Err(NoSite::Refused(why)) => refused.push(why),
        }
    }
    if !sites.is_empty() {
        let mut notes = notes(facts, row);
        notes.extend(refused);
        return Outcome::Attach { sites, notes };
    }
    if !refused.is_empty() {
        return Outcome::Missing { reason: refused.join("; "), blinds: true };
    }
    let in_drm = row.symbols().all(|s| s.module != crate::symbols::VMLINUX);
    if in_drm && !facts.drm && row.id != ProbeId::DriverAccess {
        return Outcome::Missing { reason: "DRM is not loaded".to_owned(), blinds: true };
    }
    let reason = match absent.as_slice() {
        [one] => format!("no symbol {one}: {}", inlined(facts, row)),
        [first, second] => format!("neither {first} nor {second} is a symbol"),
        many => format!("none of {} functions is a symbol", many.len()),
    };
    Outcome::Missing { reason, blinds: blinds_when_absent(facts, row) }
}

/// What the absence of a symbol means, as far as it can be told.
fn inlined(facts: &KernelFacts, row: &Row) -> String {
    let clones = row.symbols().flat_map(|s| facts.symbols.clones(s.name));
    let clones: Vec<_> = clones.map(|s| format!("`{}`", s.name)).collect();
    if clones.is_empty() {
        "inlined, or this kernel does not have the function".to_owned()
    } else {
        format!("the compiler made {} of it, whose arguments are not certain", clones.join(", "))
    }
}

/// Does a missing symbol leave something unseen? Not where the kernel never does what the probe looks at, nor where
/// another probe sees the same.
fn blinds_when_absent(facts: &KernelFacts, row: &Row) -> bool {
    let other = |id: ProbeId| Row::of(id).is_some_and(|r| r.symbols().any(|s| facts.symbols.has(s.name)));
    match row.id {
        ProbeId::HandleGet | ProbeId::HandleGetIfExists => facts.features.has(Features::FB_HANDLE_REFS),
        // Of these there may be none: a driver's own ioctls are there with the driver.
        ProbeId::ChangeHandle | ProbeId::BufFdInstall | ProbeId::FbClose | ProbeId::DriverAccess => false,
        ProbeId::Pin | ProbeId::Unpin | ProbeId::MoveNotify => facts.profile >= Profile::V5_7,
        ProbeId::ImportNoMap => {
            facts.symbols.has("drm_gem_shmem_prime_import_sg_table") && !other(ProbeId::ImportDev)
        }
        ProbeId::ExportToDmabuf => !other(ProbeId::ExportToFd),
        ProbeId::ExportToFd => !other(ProbeId::ExportToDmabuf),
        _ => true,
    }
}

/// The first symbol of a target that exists and is what the programs were written for.
fn choose<'a>(facts: &'a KernelFacts, row: &Row, target: &Target) -> Result<(Symbol<'a>, bool), NoSite> {
    let mut untraceable = None;
    for wanted in target.symbols {
        let all: Vec<_> = facts.symbols.lookup(wanted.name).filter(Symbol::is_function).collect();
        let own = |s: &&Symbol<'_>| s.module == wanted.module || s.module == crate::symbols::VMLINUX;
        let mut candidates: Vec<_> = all.iter().filter(own).copied().collect();
        if candidates.is_empty() {
            // Another module than the usual one: a distribution that links drivers together, or a driver that was
            // made for a test. Its types may not be at hand, and then its prototype is not checked.
            candidates.clone_from(&all);
        }
        let symbol = match candidates.as_slice() {
            [] => continue,
            [one] => *one,
            several => {
                let reason = format!("`{}` stands for `{}` functions", wanted.name, several.len());
                return Err(NoSite::Refused(reason));
            }
        };
        if facts.untraceable.contains(wanted.name) {
            untraceable = Some(format!("the kernel does not let `{}` be probed", wanted.name));
            continue;
        }
        if let Some(difference) = mismatch(facts, row, symbol) {
            return Err(NoSite::Refused(format!(
                "`{}` is not the function expected: {difference}",
                symbol.name
            )));
        }
        return Ok((symbol, all.len() > 1));
    }
    Err(untraceable.map_or(NoSite::Absent, NoSite::Refused))
}

/// How the function's prototype in BTF differs from every one the programs were written for.
fn mismatch(facts: &KernelFacts, row: &Row, symbol: Symbol<'_>) -> Option<String> {
    let have = facts.btf.as_ref()?.prototypes(symbol.module, symbol.name);
    let expected: Vec<_> = row.prototypes.iter().filter_map(|text| Proto::from_c(text)).collect();
    let mut differences = have.iter().map(|h| expected.iter().map(|e| h.difference(e)).collect::<Vec<_>>());
    // Several functions of one name in BTF: one that fits is enough, the symbol itself is unique.
    let fits = |d: &Vec<Option<String>>| d.iter().any(Option::is_none);
    if have.is_empty() || differences.clone().any(|d| fits(&d)) {
        return None;
    }
    differences.next()?.into_iter().next()?
}

fn address(facts: &KernelFacts, symbol: &str) -> Option<u64> {
    let mut found = facts.symbols.lookup(symbol);
    match (found.next(), found.next()) {
        (Some(one), None) if one.address != 0 => Some(one.address),
        _ => None,
    }
}
