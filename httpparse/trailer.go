package httpparse

import "encoding/binary"

// maxFraming is the length of the longest field name that is forbidden in a
// trailer section, Transfer-Encoding.
const maxFraming = len("transfer-encoding")

// trailerName consumes one octet of the name of a trailer field, or the colon
// after it.
//
//	RFC 9110, section 6.5.1: "Many fields cannot be processed outside the
//	header section because their evaluation is necessary prior to receiving the
//	content, such as those that describe message framing, routing,
//	authentication, request modifiers, response controls, or content format."
//	Those of framing and routing are refused; all others are dropped.
func (d *BodyDecoder) trailerName(c byte) error {
	if c == ':' {
		if int(d.nameLen) <= maxFraming {
			switch string(d.name[:d.nameLen]) {
			case "content-length", "transfer-encoding", "host":
				return errTrailerForbidden
			}
		}
		d.state = bodyStateTrailerValue
		return d.countTrailer(1)
	}
	if octets[c]&isToken == 0 {
		return errFieldName
	}
	if int(d.nameLen) < maxFraming {
		d.name[d.nameLen] = lower(c)
	}
	if int(d.nameLen) <= maxFraming {
		d.nameLen++ // one more than any forbidden name has
	}
	return d.countTrailer(1)
}

// trailerValue consumes the part of a trailer field's value that is in src, and the
// CR after it, and returns the number of octets. On an error the number is the
// offset of the invalid octet.
func (d *BodyDecoder) trailerValue(src []byte) (int, error) {
	left := int(d.limits.trailer - d.trailer)
	i := 0
	for i < len(src) && i < left {
		if len(src)-i >= 8 {
			stop := controls(binary.LittleEndian.Uint64(src[i:]))
			if stop == 0 {
				i += 8
				continue
			}
			i += firstOctet(stop)
		}
		if i >= left || octets[src[i]]&isValue == 0 {
			break
		}
		i++
	}
	if i > left {
		i = left
	}
	d.trailer += int32(i)
	if i == len(src) {
		return i, nil
	}
	if i == left {
		return i, errTrailerTooLarge
	}
	if src[i] != '\r' {
		return i, errFieldValue
	}
	d.state = bodyStateTrailerLF
	d.trailer++ // i < left
	return i + 1, nil
}

// countTrailer counts octets of the trailer section against its limit.
func (d *BodyDecoder) countTrailer(n int32) error {
	if d.trailer += n; d.trailer > d.limits.trailer {
		return errTrailerTooLarge
	}
	return nil
}
