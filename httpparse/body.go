package httpparse

// A bodyState is what a BodyDecoder expects next.
type bodyState uint8

const (
	bodyStateDone         bodyState = iota // nothing: the content is complete
	bodyStateLength                        // octets counted by Content-Length
	bodyStateChunkSize                     // a digit of chunk-size, or what ends it
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
	bodyStateRefused                       // nothing ever again
)

var bodyStateNames = [...]string{
	"done", "length", "chunk-size", "chunk-ext", "chunk-lf", "chunk-data", "chunk-data-cr", "chunk-data-lf",
	"trailer", "trailer-name", "trailer-value", "trailer-lf", "end-lf", "refused",
}

// String names the state in logs and tests.
func (s bodyState) String() string { return bodyStateNames[s] }

// A BodyDecoder takes the framing off the content of one request. The zero
// BodyDecoder expects no content; Reset makes it ready for a request. It is
// small, holds no pointer and no buffer, and belongs to one goroutine at a
// time. It may be copied.
type BodyDecoder struct {
	state   bodyState
	ext     extState
	last    bool             // the chunk-size was zero
	digits  uint8            // of the chunk-size so far
	nameLen uint8            // of the trailer field's name so far, saturated
	name    [maxFraming]byte // its lower-case beginning
	remain  uint64           // octets left of the content, or of the chunk
	total   int64            // octets decoded so far
	limit   int64            // on total
	lineExt int32            // octets of chunk-ext in this line
	bodyExt int32            // octets of chunk-ext in all lines
	trailer int32            // octets of the trailer section
	limits  struct{ lineExt, bodyExt, trailer int32 }
}

// Reset makes d ready for the content of r, of which it keeps nothing, under
// the limits of lim, which may be nil.
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

// Remaining returns how many octets of content are known to be still to come:
// with Content-Length all of them, else those of the current chunk. It is what
// a caller may grow its buffer by, within reason: the peer chose the number.
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
// A non-nil err is an [*Error] that refuses the content; n is then the offset
// of the octet at which the refusal fell, whatever pieces the content came in.
// Every later call refuses, until Reset. A Content-Length above the limit is
// refused before an octet is taken.
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

// step takes one octet of the framing.
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
		// chunk-data CRLF. Data that is longer than its size shows here.
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
