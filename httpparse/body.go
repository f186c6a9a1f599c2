package httpparse

// A bodyState is what a BodyDecoder expects next.
type bodyState uint8

const (
	bodyStateDone         bodyState = iota // nothing: the content is complete
	bodyStateLength                        // octets counted by Content-Length
	bodyStateChunkSize                     // a digit of chunk-size, or the octet that ends it
	bodyStateChunkExt                      // somewhere in chunk-ext: see extState
	bodyStateChunkLF                       // the LF of the line of chunk-size
	bodyStateChunkData                     // octets of chunk-data
	bodyStateChunkDataCR                   // the CR after chunk-data
	bodyStateChunkDataLF                   // the LF after it
	bodyStateTrailer                       // the start of a trailer line, or of the empty line
	bodyStateTrailerName                   // in the name of a trailer field
	bodyStateTrailerValue                  // in its value
	bodyStateTrailerLF                     // the LF that ends it
	bodyStateEndLF                         // the LF of the empty line
	bodyStateRefused                       // nothing: the content was refused
)

var bodyStateNames = [...]string{
	"done", "length", "chunk-size", "chunk-ext", "chunk-lf", "chunk-data", "chunk-data-cr", "chunk-data-lf",
	"trailer", "trailer-name", "trailer-value", "trailer-lf", "end-lf", "refused",
}

// String returns the name of the state, for logs and tests.
func (s bodyState) String() string { return bodyStateNames[s] }

// A BodyDecoder takes the framing off the content of one request. The zero
// BodyDecoder expects no content; Reset makes it ready for a request. It is
// small, holds no pointer and no buffer, and belongs to one goroutine at a
// time. It may be copied.
type BodyDecoder struct {
	state   bodyState
	ext     extState
	last    bool             // the chunk-size was zero
	digits  uint8            // digits of the chunk-size so far
	nameLen uint8            // length of the trailer field's name so far, saturated
	name    [maxFraming]byte // the beginning of that name, in lower case
	remain  uint64           // octets left of the content, or of the chunk
	total   int64            // octets decoded so far
	limit   int64            // maximum of total
	lineExt int32            // octets of chunk-ext in this line
	bodyExt int32            // octets of chunk-ext in all lines
	trailer int32            // octets of the trailer section
	limits  struct{ lineExt, bodyExt, trailer int32 }
}

// Reset makes d ready for the content of r, under the limits of lim, which may
// be nil. It keeps no reference to r.
func (d *BodyDecoder) Reset(r *Request, lim *Limits) {
	*d = BodyDecoder{limit: lim.content()}
	d.limits.lineExt, d.limits.bodyExt, d.limits.trailer = lim.chunkExtLine(), lim.chunkExt(), lim.trailer()
	switch {
	case r.Chunked:
		d.state = bodyStateChunkSize
	case r.ContentLength > 0:
		d.state, d.remain = bodyStateLength, uint64(r.ContentLength)
	}
}

// Done reports whether the content is complete.
func (d *BodyDecoder) Done() bool { return d.state == bodyStateDone }

// Len returns the number of octets decoded so far.
func (d *BodyDecoder) Len() int64 { return d.total }

// Remaining returns how many octets of content are known to follow: with
// Content-Length all of them, and otherwise those of the current chunk. A caller
// may grow its buffer by that number, but within reason: the peer chose it.
func (d *BodyDecoder) Remaining() int64 {
	if d.state == bodyStateLength || d.state == bodyStateChunkData {
		return int64(d.remain)
	}
	return 0
}

// Append decodes the content at the beginning of src, appends it to dst and
// returns the extended buffer and the number n of octets of src consumed. dst
// grows by no more than n.
//
// done reports that the content is complete; src[n:] then belongs to the next
// request. Otherwise all of src was consumed, and more is needed. Trailer fields
// are checked and dropped.
//
// A non-nil err is an [*Error] that refuses the content. Then n is the offset of
// the octet that was refused, whatever pieces the content came in. Every later
// call refuses, until Reset. A Content-Length above the limit is refused before
// any octet is consumed.
func (d *BodyDecoder) Append(dst, src []byte) (out []byte, n int, done bool, err error) {
	for d.state != bodyStateDone {
		if d.state == bodyStateLength && d.total == 0 && int64(d.remain) > d.limit {
			return d.refuse(dst, n, errContentTooLarge)
		}
		if n == len(src) {
			return dst, n, false, nil
		}
		switch d.state {
		case bodyStateLength, bodyStateChunkData:
			k := len(src) - n
			if uint64(k) > d.remain {
				k = int(d.remain)
			}
			dst = append(dst, src[n:n+k]...)
			n += k
			d.total += int64(k)
			if d.remain -= uint64(k); d.remain > 0 {
				break
			}
			if d.state == bodyStateLength {
				d.state = bodyStateDone
			} else {
				d.state = bodyStateChunkDataCR
			}
		case bodyStateRefused:
			return dst, n, false, errAfterRefusal
		case bodyStateTrailerValue:
			k, err := d.trailerValue(src[n:])
			n += k
			if err != nil {
				return d.refuse(dst, n, err)
			}
		default:
			if err := d.step(src[n]); err != nil {
				return d.refuse(dst, n, err)
			}
			n++
		}
	}
	return dst, n, true, nil
}

func (d *BodyDecoder) refuse(dst []byte, n int, err error) ([]byte, int, bool, error) {
	d.state = bodyStateRefused
	return dst, n, false, err
}

// step consumes one octet of the framing.
func (d *BodyDecoder) step(c byte) error {
	switch d.state {
	case bodyStateChunkSize:
		return d.chunkSize(c)

	case bodyStateChunkExt:
		return d.chunkExt(c)

	case bodyStateChunkLF:
		if c != '\n' {
			return errLineEnd
		}
		d.digits, d.lineExt = 0, 0
		d.state = bodyStateChunkData
		if d.last {
			d.state = bodyStateTrailer
		}

	case bodyStateChunkDataCR:
		// RFC 9112, section 7.1: chunk = chunk-size [ chunk-ext ] CRLF
		// chunk-data CRLF. Data that is longer than its size is found here.
		if c != '\r' {
			return errChunkEnd
		}
		d.state = bodyStateChunkDataLF

	case bodyStateChunkDataLF:
		if c != '\n' {
			return errLineEnd
		}
		d.state = bodyStateChunkSize

	case bodyStateTrailer:
		if c == '\r' {
			d.state = bodyStateEndLF
			return nil
		}
		if octets[c]&isToken == 0 {
			return fieldStartError(c)
		}
		d.nameLen = 0
		d.state = bodyStateTrailerName
		return d.trailerName(c)

	case bodyStateTrailerName:
		return d.trailerName(c)

	case bodyStateTrailerLF:
		if c != '\n' {
			return errLineEnd
		}
		d.state = bodyStateTrailer
		return d.countTrailer(1)

	case bodyStateEndLF:
		if c != '\n' {
			return errLineEnd
		}
		d.state = bodyStateDone
	}
	return nil
}
