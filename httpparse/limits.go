package httpparse

// Limits bound what one request may cost. The zero value, and a nil pointer,
// stand for the defaults. A value of zero or below means the default of that
// limit: no limit can be switched off. Limits are read, never written, and may
// be shared.
type Limits struct {
	// RequestLine is the length of the request-line in octets, its CRLF not
	// counted. Default 8 KiB. Beyond it: 414.
	RequestLine int

	// Head is the length of the whole head in octets, from an ignored leading
	// CRLF to the empty line. Default 16 KiB, at most [MaxHead]. Beyond it: 431.
	Head int

	// Fields is the number of field lines in the header section. Default 100,
	// at most [MaxFields]. Beyond it: 431.
	Fields int

	// Content is the length of the decoded content in octets. Default 4 MiB.
	// Beyond it: 413.
	Content int64

	// ChunkExtLine is the length of the chunk extensions of one chunk in
	// octets. Default 256. Beyond it: 400.
	ChunkExtLine int

	// ChunkExt is the length of all chunk extensions of one request in octets.
	// Default 4 KiB. Beyond it: 400.
	ChunkExt int

	// Trailer is the length of the trailer section in octets, its empty line
	// not counted. Default 8 KiB. Beyond it: 400.
	Trailer int
}

const (
	// MaxHead is the largest head that can be parsed, whatever Limits say:
	// field positions are kept as 16-bit offsets.
	MaxHead = 1<<16 - 1

	// MaxFields is the largest number of field lines that can be parsed,
	// whatever Limits say: their positions are kept in the Request itself.
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
