//! Images: what a file is, read from its bytes and never from its name or a claim.
use chassis::id::{Id, Resource};
use chassis::time::Timestamp;

use super::{Fault, Product};

/// The longest side, in pixels: a small file may unfold into gigabytes.
pub(crate) const SIDE_MAX: u32 = 8_000;
/// The most images a product has.
pub(crate) const IMAGES_MAX: u64 = 50;

/// A picture of a product.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Image {
    pub(crate) id: Id<Image>,
    pub(crate) product: Id<Product>,
    pub(crate) content_type: String,
    pub(crate) size_bytes: i64,
    pub(crate) alt_text: String,
    pub(crate) create_time: Timestamp,
}

impl Resource for Image {
    const COLLECTION: &'static str = "images";
}

/// The full name of an image: only ids fit in it, so it can lead to no other file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) product: Id<Product>,
    pub(crate) image: Id<Image>,
}

impl Name {
    /// Reads `products/{product}/images/{image}`.
    pub(crate) fn parse(name: &str) -> Option<Name> {
        let (product, image) = name.split_once("/images/")?;
        Some(Name { product: Id::parse_name(product)?, image: image.parse().ok()? })
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.product.name(), self.image.name())
    }
}

/// What a file says about itself in its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) content_type: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Recognises a picture, and refuses what is none or too large to draw.
pub(crate) fn recognise(content: &[u8]) -> Result<Header, Fault> {
    let header = png(content).or_else(|| gif(content)).or_else(|| jpeg(content)).or_else(|| webp(content));
    let Some(header) = header else {
        return Err(Fault::new("content", "must be a PNG, JPEG, WebP or GIF picture"));
    };
    let sides = 1..=SIDE_MAX;
    if !sides.contains(&header.width) || !sides.contains(&header.height) {
        return Err(Fault::new("content", format!("must be at most {SIDE_MAX} pixels wide and high")));
    }
    Ok(header)
}

fn png(content: &[u8]) -> Option<Header> {
    let chunk = content.strip_prefix(b"\x89PNG\r\n\x1a\n")?.get(4..)?.strip_prefix(b"IHDR")?;
    Some(Header { content_type: "image/png", width: be32(chunk, 0)?, height: be32(chunk, 4)? })
}

fn gif(content: &[u8]) -> Option<Header> {
    let screen = content.strip_prefix(b"GIF89a").or_else(|| content.strip_prefix(b"GIF87a"))?;
    Some(Header { content_type: "image/gif", width: le16(screen, 0)?, height: le16(screen, 2)? })
}

fn jpeg(content: &[u8]) -> Option<Header> {
    let mut rest = content.strip_prefix(b"\xff\xd8")?;
    loop {
        let [0xff, marker, after @ ..] = rest else { return None };
        match marker {
            // Any number of fill bytes may stand before a marker.
            0xff => rest = rest.get(1..)?,
            0x01 | 0xd0..=0xd7 => rest = after,
            // Start of frame, of every kind of coding; C4, C8 and CC are tables.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Some(Header {
                    content_type: "image/jpeg",
                    height: be16(after, 3)?,
                    width: be16(after, 5)?,
                });
            }
            0xd8..=0xda => return None,
            _ => rest = after.get(usize::try_from(be16(after, 0)?.max(2)).ok()?..)?,
        }
    }
}

fn webp(content: &[u8]) -> Option<Header> {
    let chunk = content.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WEBP")?;
    let data = chunk.get(8..)?;
    let (width, height) = match chunk.get(..4)? {
        b"VP8 " => {
            let frame = data.get(3..)?.strip_prefix(b"\x9d\x01\x2a")?;
            (le16(frame, 0)? & 0x3fff, le16(frame, 2)? & 0x3fff)
        }
        b"VP8L" => {
            let bits = u32::from_le_bytes(data.strip_prefix(b"\x2f")?.get(..4)?.try_into().ok()?);
            ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
        }
        b"VP8X" => (le24(data, 4)? + 1, le24(data, 7)? + 1),
        _ => return None,
    };
    Some(Header { content_type: "image/webp", width, height })
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn le24(bytes: &[u8], at: usize) -> Option<u32> {
    let &[low, middle, high] = bytes.get(at..at + 3)? else { return None };
    Some(u32::from_le_bytes([low, middle, high, 0]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        [
            b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
            &width.to_be_bytes()[..],
            &height.to_be_bytes()[..],
            b"\x08\x06\0\0\0",
        ]
        .concat()
    }

    #[test]
    fn pictures_are_known_by_their_bytes() {
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x0b\x08\0\x20\0\x10\x01".to_vec();
        let lossy = [&b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x10\0\x20\0"[..]].concat();
        let lossless =
            [&b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f"[..], &(15_u32 | 31 << 14).to_le_bytes()].concat();
        let extended = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x0f\0\0\x1f\0\0".to_vec();
        for (content, content_type) in [
            (png(16, 32), "image/png"),
            (b"GIF89a\x10\0\x20\0".to_vec(), "image/gif"),
            (jpeg, "image/jpeg"),
            (lossy, "image/webp"),
            (lossless, "image/webp"),
            (extended, "image/webp"),
        ] {
            assert_eq!(recognise(&content), Ok(Header { content_type, width: 16, height: 32 }));
        }
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused() {
        for content in [
            &b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..],
            b"<!DOCTYPE html>",
            b"\xff\xd8\xff\xe0\0\0",
            b"\xff\xd8\xff\xda\0\x04",
            b"GIF89a\x10",
            b"",
            &png(30_000, 30_000),
            &png(0, 1),
            &png(1, 8_001),
        ] {
            assert!(recognise(content).is_err(), "{content:?}");
        }
    }

    #[test]
    fn a_name_leads_to_no_other_file() {
        let name = Name { product: Id::new(), image: Id::new() };
        assert_eq!(Name::parse(&name.to_string()), Some(name));
        for file in ["../../etc/passwd", "a/b.png", "a.png\0.svg", ".", &"x".repeat(300)] {
            assert_eq!(Name::parse(&format!("{}/images/{file}", name.product.name())), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(head in 0..5_usize, rest in prop::collection::vec(any::<u8>(), 0..64)) {
            let heads: [&[u8]; 5] = [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8L", b"GIF89a"];
            let _ = recognise(&[heads[head], &rest].concat());
        }
    }
}
