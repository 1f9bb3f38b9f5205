//! As much of the ZIP container as archives of arrays need: central directory (with ZIP64), stored and deflated
//! members. Multi-disk and encrypted archives are refused.

use std::io::{Read, Seek};

use super::super::atomic::Output;
use super::super::error::{FormatError, FormatErrorKind};
use super::super::input::Input;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Stored = 0,
    Deflated = 8,
}

/// What the central directory says of a member.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) method: Method,
    pub(super) crc: u32,
    /// Bytes in the archive.
    pub(super) packed: u64,
    /// Bytes of the content.
    pub(super) size: u64,
    pub(super) header_at: u64,
}

/// The members of an archive, in the order of its central directory.
pub(super) struct Directory {
    pub(super) members: Vec<Member>,
}

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const EXTRA_64: u16 = 1;
const END_SIZE: u64 = 22;
const LOCATOR_SIZE: u64 = 20;
const LOCAL_SIZE: u64 = 30;
const ENCRYPTED: u16 = 1;
const UTF8: u16 = 1 << 11;
/// 1 January 1980, the first day ZIP knows: files with equal content are equal.
const NO_DATE: u16 = 0x21;
const DAMAGED: &str = "the archive is damaged; copy or write it again";

/// Reads the central directory.
pub(super) fn directory<R: Read + Seek>(input: &mut Input<R>) -> Result<Directory, FormatError> {
    let length = input.left();
    let Bounds { count, start, end } = bounds(input, length)?;
    input.seek(start, end)?;
    let mut members: Vec<Member> = Vec::new();
    for _ in 0..count {
        members.push(central_entry(input)?);
    }
    input.finish()?;

    // Members lie one after the other before the directory: no byte belongs to two.
    let mut order: Vec<&Member> = members.iter().collect();
    order.sort_by_key(|member| member.header_at);
    let ends = order.iter().skip(1).map(|next| next.header_at).chain([start]);
    for (member, end) in order.iter().zip(ends) {
        let needed = LOCAL_SIZE + member.name.len() as u64;
        let fits = member.packed.checked_add(needed).and_then(|n| n.checked_add(member.header_at));
        if fits.is_none_or(|content_end| content_end > end) {
            return Err(input.error_at(
                member.header_at,
                FormatErrorKind::Malformed,
                format!("the member `{}` reaches into what follows it", member.name),
                DAMAGED,
            ));
        }
    }
    Ok(Directory { members })
}

/// Moves to a member's content, after comparing its local header with the directory.
pub(super) fn seek_to_content<R: Read + Seek>(
    input: &mut Input<R>,
    member: &Member,
) -> Result<(), FormatError> {
    // Enough for the header; the directory was checked to lie behind the content.
    let limit = member.header_at + LOCAL_SIZE + u64::from(u16::MAX) * 2 + member.packed;
    input.seek(member.header_at, limit)?;
    let signature = input.u32("a member's header")?;
    let _version: [u8; 2] = input.bytes("a member's header")?;
    let _flags = input.u16("a member's header")?;
    let method = input.u16("a member's header")?;
    let _time_date_crc_and_sizes: [u8; 16] = input.bytes("a member's header")?;
    let name_length = input.u16("a member's header")?;
    let extra_length = input.u16("a member's header")?;
    let name = input.blob(name_length.into(), u16::MAX.into(), "a member's name")?;
    if signature != LOCAL || method != member.method as u16 || name != member.name.as_bytes() {
        return Err(input.error_at(
            member.header_at,
            FormatErrorKind::Malformed,
            format!("the header of member `{}` differs from the archive's directory", member.name),
            DAMAGED,
        ));
    }
    input.blob(extra_length.into(), u16::MAX.into(), "a member's extra fields")?;
    Ok(())
}

struct Bounds {
    count: u64,
    start: u64,
    end: u64,
}

/// Finds the central directory from the end of the archive.
fn bounds<R: Read + Seek>(input: &mut Input<R>, length: u64) -> Result<Bounds, FormatError> {
    input.need(END_SIZE, "the end record of a ZIP archive")?;
    let tail_start = length.saturating_sub(END_SIZE + u64::from(u16::MAX));
    input.seek(tail_start, length)?;
    let tail = input.blob(length - tail_start, length, "the end of the archive")?;
    // The end record is followed by a comment of the length it names, and by nothing else.
    let end_size = END_SIZE as usize;
    let found = (0..=tail.len() - end_size).rev().find(|&at| {
        tail[at..at + 4] == END.to_le_bytes()
            && usize::from(u16::from_le_bytes([tail[at + 20], tail[at + 21]])) == tail.len() - at - end_size
    });
    let Some(at) = found else {
        return Err(input.error_at(
            length,
            FormatErrorKind::Truncated,
            "the end record of a ZIP archive is missing",
            "the file is cut off, has bytes behind its end, or is not an npz archive",
        ));
    };
    let end_at = tail_start + at as u64;
    input.seek(end_at + 4, length)?;
    let disk = input.u16("the end record")?;
    let directory_disk = input.u16("the end record")?;
    let count_here = input.u16("the end record")?;
    let count = input.u16("the end record")?;
    let size = input.u32("the end record")?;
    let start = input.u32("the end record")?;
    let is_64 = count == u16::MAX || size == u32::MAX || start == u32::MAX;
    let located = if is_64 { record_64(input, end_at, length)? } else { None };
    let (count, size, start, end) = match located {
        Some(found) => found,
        None if disk != 0 || directory_disk != 0 || count_here != count => {
            return Err(several_disks(input, end_at));
        }
        None => (count.into(), size.into(), start.into(), end_at),
    };
    if start.checked_add(size) != Some(end) {
        return Err(input.error_at(
            end_at,
            FormatErrorKind::Malformed,
            format!(
                "the directory at {start}..{start}+{size} does not end where its end record starts, at {end}"
            ),
            "the archive is damaged, or something stands in front of it",
        ));
    }
    Ok(Bounds { count, start, end })
}

/// Count, size, start and end of the directory from the ZIP64 end record, when there is one.
fn record_64<R: Read + Seek>(
    input: &mut Input<R>,
    end_at: u64,
    length: u64,
) -> Result<Option<(u64, u64, u64, u64)>, FormatError> {
    let Some(locator_at) = end_at.checked_sub(LOCATOR_SIZE) else { return Ok(None) };
    input.seek(locator_at, length)?;
    if input.u32("the ZIP64 locator")? != LOCATOR_64 {
        return Ok(None);
    }
    let disk = input.u32("the ZIP64 locator")?;
    let record_at = input.u64("the ZIP64 locator")?;
    let disks = input.u32("the ZIP64 locator")?;
    if disk != 0 || disks > 1 {
        return Err(several_disks(input, locator_at));
    }
    if record_at > locator_at {
        return Err(input.error_at(
            locator_at,
            FormatErrorKind::Malformed,
            format!("the ZIP64 end record is said to be at byte {record_at}"),
            DAMAGED,
        ));
    }
    input.seek(record_at, locator_at)?;
    let signature = input.u32("the ZIP64 end record")?;
    let rest = input.u64("the ZIP64 end record")?;
    if signature != END_64 || rest != input.left() {
        return Err(input.error_at(
            record_at,
            FormatErrorKind::Malformed,
            "the ZIP64 end record is not where its locator says",
            DAMAGED,
        ));
    }
    let _versions: [u8; 4] = input.bytes("the ZIP64 end record")?;
    let disks: [u8; 8] = input.bytes("the ZIP64 end record")?;
    let count_here = input.u64("the ZIP64 end record")?;
    let count = input.u64("the ZIP64 end record")?;
    let size = input.u64("the ZIP64 end record")?;
    let start = input.u64("the ZIP64 end record")?;
    if disks != [0; 8] || count_here != count {
        return Err(several_disks(input, record_at));
    }
    Ok(Some((count, size, start, record_at)))
}

fn several_disks<R: Read>(input: &Input<R>, at: u64) -> FormatError {
    input.error_at(
        at,
        FormatErrorKind::Unsupported,
        "the archive says it is one of several parts",
        "join the parts, or write it again",
    )
}

fn central_entry<R: Read>(input: &mut Input<R>) -> Result<Member, FormatError> {
    const THING: &str = "an entry of the archive's directory";
    let at = input.offset();
    if input.u32(THING)? != CENTRAL {
        return Err(input.error_at(
            at,
            FormatErrorKind::Malformed,
            format!("{THING} should start here"),
            DAMAGED,
        ));
    }
    let _versions: [u8; 4] = input.bytes(THING)?;
    let flags = input.u16(THING)?;
    let method = input.u16(THING)?;
    let _time_and_date: [u8; 4] = input.bytes(THING)?;
    let crc = input.u32(THING)?;
    let packed = input.u32(THING)?;
    let size = input.u32(THING)?;
    let name_length = input.u16(THING)?;
    let extra_length = input.u16(THING)?;
    let comment_length = input.u16(THING)?;
    let disk = input.u16(THING)?;
    let _attributes: [u8; 6] = input.bytes(THING)?;
    let header_at = input.u32(THING)?;
    let name = input.blob(name_length.into(), u16::MAX.into(), "a member's name")?;
    let extra = input.blob(extra_length.into(), u16::MAX.into(), "a member's extra fields")?;
    input.blob(comment_length.into(), u16::MAX.into(), "a member's comment")?;

    let name = String::from_utf8(name).map_err(|_| {
        input.error_at(
            at,
            FormatErrorKind::Malformed,
            "the name of a member is not UTF-8",
            "the archive is damaged, or a tool wrote names in another encoding",
        )
    })?;
    if flags & ENCRYPTED != 0 {
        return Err(input.error_at(
            at,
            FormatErrorKind::Unsupported,
            format!("the member `{name}` is encrypted"),
            "write the archive without a password",
        ));
    }
    let method = match method {
        0 => Method::Stored,
        8 => Method::Deflated,
        other => {
            return Err(input.error_at(
                at,
                FormatErrorKind::Unsupported,
                format!("the member `{name}` is compressed with method {other}"),
                "numpy writes stored and deflated members; write the archive again with numpy",
            ));
        }
    };
    let mut wide = Wide { fields: zip64_field(&extra), missing: false };
    let size = wide.value(size, u32::MAX);
    let packed = wide.value(packed, u32::MAX);
    let header_at = wide.value(header_at, u32::MAX);
    if wide.missing || disk != 0 || (method == Method::Stored && packed != size) {
        return Err(input.error_at(
            at,
            FormatErrorKind::Malformed,
            format!("the sizes of member `{name}` contradict each other"),
            DAMAGED,
        ));
    }
    Ok(Member { name, method, crc, packed, size, header_at })
}

/// The ZIP64 values of a member: 8 bytes for each value whose 32-bit field is full.
struct Wide<'a> {
    fields: &'a [u8],
    missing: bool,
}

impl Wide<'_> {
    fn value(&mut self, narrow: u32, full: u32) -> u64 {
        if narrow != full {
            return narrow.into();
        }
        let Some((value, rest)) = self.fields.split_first_chunk::<8>() else {
            self.missing = true;
            return 0;
        };
        self.fields = rest;
        u64::from_le_bytes(*value)
    }
}

fn zip64_field(mut extra: &[u8]) -> &[u8] {
    while let [id0, id1, length0, length1, rest @ ..] = extra {
        let length = usize::from(u16::from_le_bytes([*length0, *length1]));
        let Some((field, rest)) = rest.split_at_checked(length) else { break };
        if u16::from_le_bytes([*id0, *id1]) == EXTRA_64 {
            return field;
        }
        extra = rest;
    }
    &[]
}

/// An archive that is being written.
pub(super) struct Archive<'a> {
    out: Output<'a>,
    what: &'a str,
    at: u64,
    central: Vec<u8>,
    count: u64,
}

impl<'a> Archive<'a> {
    pub(super) fn new(out: Output<'a>, what: &'a str) -> Archive<'a> {
        Archive { out, what, at: 0, central: Vec::new(), count: 0 }
    }

    /// Adds a member whose bytes in the archive are `parts`, one after the other.
    pub(super) fn member(
        &mut self,
        name: String,
        method: Method,
        crc: u32,
        size: u64,
        parts: &[&[u8]],
    ) -> Result<(), FormatError> {
        let name_length = u16::try_from(name.len()).map_err(|_| {
            FormatError::argument(
                self.what,
                format!("the name of an array is {} bytes long", name.len()),
                "ZIP archives take names of up to 65,531 bytes",
            )
        })?;
        let packed = parts.iter().map(|part| part.len() as u64).sum::<u64>();
        let header_at = self.at;
        let flags = if name.is_ascii() { 0 } else { UTF8 };
        let wide_sizes = size.max(packed) >= u64::from(u32::MAX);
        let wide_offset = header_at >= u64::from(u32::MAX);

        let narrow = |value: u64, wide: bool| if wide { u32::MAX } else { value as u32 };
        let mut common = Vec::new();
        common.extend(if wide_sizes || wide_offset { 45u16 } else { 20 }.to_le_bytes());
        common.extend(flags.to_le_bytes());
        common.extend((method as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes());
        common.extend(NO_DATE.to_le_bytes());
        common.extend(crc.to_le_bytes());
        common.extend(narrow(packed, wide_sizes).to_le_bytes());
        common.extend(narrow(size, wide_sizes).to_le_bytes());
        common.extend(name_length.to_le_bytes());

        let mut local_extra = Vec::new();
        if wide_sizes {
            local_extra.extend([size, packed].map(u64::to_le_bytes).concat());
        }
        let mut central_extra = local_extra.clone();
        if wide_offset {
            central_extra.extend(header_at.to_le_bytes());
        }
        let [local_extra, central_extra] = [local_extra, central_extra].map(|values| {
            let mut field = Vec::new();
            if !values.is_empty() {
                field.extend(EXTRA_64.to_le_bytes());
                field.extend((values.len() as u16).to_le_bytes());
                field.extend(values);
            }
            field
        });

        let mut local = LOCAL.to_le_bytes().to_vec();
        local.extend(&common);
        local.extend((local_extra.len() as u16).to_le_bytes());
        local.extend(name.as_bytes());
        local.extend(&local_extra);
        self.out.bytes(&local)?;
        for part in parts {
            self.out.bytes(part)?;
        }
        self.at += local.len() as u64 + packed;
        self.count += 1;

        let central = &mut self.central;
        central.extend(CENTRAL.to_le_bytes());
        central.extend(if wide_sizes || wide_offset { 45u16 } else { 20 }.to_le_bytes());
        central.extend(&common);
        central.extend((central_extra.len() as u16).to_le_bytes());
        // Comment length, disk, internal and external attributes.
        central.extend([0; 10]);
        central.extend(narrow(header_at, wide_offset).to_le_bytes());
        central.extend(name.as_bytes());
        central.extend(&central_extra);
        Ok(())
    }

    /// Writes the directory and the end records.
    pub(super) fn finish(mut self) -> Result<(), FormatError> {
        let size = self.central.len() as u64;
        let start = self.at;
        let mut tail = std::mem::take(&mut self.central);
        let is_64 = self.count >= u64::from(u16::MAX) || start.max(size) >= u64::from(u32::MAX);
        if is_64 {
            let record_at = start + size;
            tail.extend(END_64.to_le_bytes());
            tail.extend(44u64.to_le_bytes());
            tail.extend([45u16, 45].map(u16::to_le_bytes).concat());
            tail.extend([0; 8]);
            tail.extend([self.count, self.count, size, start].map(u64::to_le_bytes).concat());
            tail.extend(LOCATOR_64.to_le_bytes());
            tail.extend(0u32.to_le_bytes());
            tail.extend(record_at.to_le_bytes());
            tail.extend(1u32.to_le_bytes());
        }
        let count = if is_64 { u16::MAX } else { self.count as u16 };
        tail.extend(END.to_le_bytes());
        tail.extend([0; 4]);
        tail.extend([count, count].map(u16::to_le_bytes).concat());
        tail.extend([size, start].map(|v| if is_64 { u32::MAX } else { v as u32 }.to_le_bytes()).concat());
        tail.extend([0; 2]);
        self.out.bytes(&tail)
    }
}
