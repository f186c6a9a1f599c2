package httpparse

// Limits limit what one request may cost. The zero value and a nil pointer stand
// for the defaults. A field that is zero or negative means the default of that
// limit: no limit can be turned off. Limits are never written and may be shared.
type Limits struct {
	// RequestLine is the maximum length of the request-line in octets, without its
	// CRLF. Default 8 KiB. A longer one gets 414.
	RequestLine int

	// Head is the maximum length of the whole head in octets, from an ignored
	// leading CRLF to the empty line. Default 16 KiB, at most [MaxHead]. A longer
	// one gets 431.
	Head int

	// Fields is the maximum number of field lines in the header section. Default
	// 100, at most [MaxFields]. A head with more gets 431.
	Fields int

	// Content is the maximum length of the decoded content in octets. Default
	// 4 MiB. A longer one gets 413.
	Content int64

	// ChunkExtLine is the maximum length of the chunk extensions of one chunk in
	// octets. Default 256. A longer one gets 400.
	ChunkExtLine int

	// ChunkExt is the maximum length of all chunk extensions of one request in
	// octets. Default 4 KiB. A longer one gets 400.
	ChunkExt int

	// Trailer is the maximum length of the trailer section in octets, without its
	// empty line. Default 8 KiB. A longer one gets 400.
	Trailer int
}

const (
	// MaxHead is the length of the longest head that can be parsed with any Limits,
	// because the positions of fields are 16-bit offsets.
	MaxHead = 1<<16 - 1

	// MaxFields is the largest number of field lines that can be parsed with any
	// Limits, because the Request itself holds their positions.
	MaxFields = 128

	defaultRequestLine  = 8 << 10
	defaultHead         = 16 << 10
	defaultFields       = 100
	defaultContent      = 4 << 20
	defaultChunkExtLine = 256
	defaultChunkExt     = 4 << 10
	defaultTrailer      = 8 << 10
)

func (l *Limits) requestLine() int {
	if l == nil || l.RequestLine <= 0 {
		return defaultRequestLine
	}
	return min(l.RequestLine, MaxHead)
}

func (l *Limits) head() int {
	if l == nil || l.Head <= 0 {
		return defaultHead
	}
	return min(l.Head, MaxHead)
}

func (l *Limits) fields() int {
	if l == nil || l.Fields <= 0 {
		return defaultFields
	}
	return min(l.Fields, MaxFields)
}

func (l *Limits) content() int64 {
	if l == nil || l.Content <= 0 {
		return defaultContent
	}
	return l.Content
}

// chunkExtLine, chunkExt and trailer are capped so that a BodyDecoder can
// count in 32 bits.
func (l *Limits) chunkExtLine() int32 {
	if l == nil || l.ChunkExtLine <= 0 {
		return defaultChunkExtLine
	}
	return int32(min(l.ChunkExtLine, 1<<30))
}

func (l *Limits) chunkExt() int32 {
	if l == nil || l.ChunkExt <= 0 {
		return defaultChunkExt
	}
	return int32(min(l.ChunkExt, 1<<30))
}

func (l *Limits) trailer() int32 {
	if l == nil || l.Trailer <= 0 {
		return defaultTrailer
	}
	return int32(min(l.Trailer, 1<<30))
}
