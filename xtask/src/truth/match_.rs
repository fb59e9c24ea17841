//! Which finding tells which truth.

use gemscope_engine::{Engine, Entity, Finding, RuleId};
use gemscope_model::{About, Fact, PAGE, Wrong};

/// The rules that tell this kind of wrong, each of them enough.
pub const fn rules(wrong: Wrong) -> &'static [RuleId] {
    use RuleId as R;
    match wrong {
        Wrong::LostObject | Wrong::LostCount => &[R::ObjectLeak],
        Wrong::LostBuf => &[R::DmabufLeak],
        Wrong::CacheNotEmpty => &[R::PrimeCacheLeak, R::CacheAfterClose],
        Wrong::DeadHandleReturned => &[R::PrimeCacheLeak, R::CacheAfterClose, R::ReleasedWhileCached],
        Wrong::ReleasedWhileCached => &[R::ReleasedWhileCached, R::PrimeCacheLeak, R::UseAfterRelease],
        Wrong::StaleLink => &[R::StaleLink],
        Wrong::SecondBuf => &[R::SecondDmabuf],
        Wrong::SecondHandle => &[R::SecondHandleOnImport],
        Wrong::UseAfterRelease => &[R::UseAfterRelease, R::ReleasedWhileCached],
        // Two numbers on one count: the count, the object and the driver's state go too early, all by the same fault.
        Wrong::UseAfterFree | Wrong::DanglingHandle | Wrong::CountUnderflow => {
            &[R::HandleCountMismatch, R::DanglingHandle]
        }
        Wrong::ClosedInCreation | Wrong::DriverState => {
            &[R::CreatePublicationRace, R::HandleCountMismatch, R::DanglingHandle]
        }
        Wrong::NumberReused => &[R::HandleReuseDuringClose],
        // Which entry of a tree was removed shows only when the one that is left is used.
        Wrong::WrongEntry => &[R::WrongCacheEntryRemoved, R::PrimeCacheLeak],
        Wrong::NameLeft => &[R::FlinkNameLeak],
        // What was attached after the release.
        Wrong::AttachmentLeft => &[R::AttachmentLeak, R::UseAfterRelease],
        Wrong::MappingLeft => &[R::MappingLeak],
        Wrong::PinLeft => &[R::PinImbalance],
        Wrong::VmapLeft => &[R::VmapLeak],
        Wrong::LockNotHeld => &[R::ReservationNotHeld],
        Wrong::LockHeld => &[R::ReservationHeld],
        Wrong::DirectionConflict => &[R::MappingDirectionConflict],
        Wrong::UnmapWithoutMap => &[R::UnbalancedMapping],
        Wrong::ForeignDetach => &[R::ForeignDetach],
        Wrong::BadExport => &[R::BadExportArguments],
        Wrong::NamedWhileAttached => &[R::SetNameWhileAttached],
        // One close too many; whose it was is a reading where calls overlap.
        Wrong::DoubleClose | Wrong::CloseOfReused | Wrong::CloseTooOften => {
            &[R::DoubleClose, R::CloseOfReusedHandle, R::UnbalancedImport]
        }
        Wrong::DumbDestroyOfImport => &[R::DumbDestroyOfImport],
        Wrong::AccessOfImport => &[R::CpuAccessOfImport],
        Wrong::HandleLeft => &[R::HandleLeak],
        Wrong::FdLeft => &[R::FdLeak],
        Wrong::FramebufferLeft => &[R::FramebufferLeak],
        // Nobody returns any more: there is nothing to see.
        Wrong::Deadlock => &[],
    }
}

/// What does not agree, a line each. `ends`: what is wrong at the end of each run that shows these records.
pub fn compare(engine: &Engine, ends: &[Vec<Fact>]) -> Vec<String> {
    let findings: Vec<&Finding> = engine.findings().iter().filter(|f| !f.tainted).collect();
    let mut lines = Vec::new();
    // What differs only in how a reader would call it is the same.
    let alike = |a: &Fact, b: &Fact| rules(a.wrong()) == rules(b.wrong()) && a.about() == b.about();
    let certain = |fact: &&Fact| ends.iter().all(|end| end.iter().any(|other| alike(fact, other)));
    for fact in ends.first().into_iter().flatten().filter(certain) {
        let rules = rules(fact.wrong());
        if !rules.is_empty() && !findings.iter().any(|f| tells(f, fact)) {
            lines.push(format!("missed: {} of {:?}", fact.wrong().name(), fact.about()));
        }
    }
    for finding in findings {
        let told = ends.iter().filter(|end| end.iter().any(|fact| tells(finding, fact))).count();
        if told < ends.len() {
            let of = format!("{} of {:?}", finding.rule.name(), finding.entity);
            lines.push(format!("false: {of} ({told} of {} ends)", ends.len()));
        }
    }
    lines
}

/// Does this finding tell this fact?
fn tells(finding: &Finding, fact: &Fact) -> bool {
    rules(fact.wrong()).contains(&finding.rule) && same(&finding.entity, fact.about())
}

/// Are they about the same thing, as far as both name it? The n-th object is n pages long.
fn same(entity: &Entity, about: About) -> bool {
    match (*entity, about) {
        // Of one that is gone the size is not known any more.
        (Entity::Object { size, .. }, About::Object(n)) => size == 0 || size == u64::from(n) * PAGE,
        (Entity::DmaBuf { ino, .. }, About::Buf(n)) => ino == u64::from(n),
        (Entity::Handle { handle, .. }, About::Handle(_, n)) => handle == u32::from(n),
        (Entity::File { client, .. }, About::File(n)) => client == u64::from(n) + 1,
        (Entity::Framebuffer { id }, About::Framebuffer(n)) => id == u32::from(n),
        // An entity of another kind is another side of the same story.
        _ => true,
    }
}
