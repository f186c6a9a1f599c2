package jsonrpc

import (
	"iter"
	"unicode/utf8"
)

// A Batch is a validated batch (JSON-RPC 2.0, section 6): an array of one message
// or more. It aliases the bytes it was decoded from.
type Batch struct {
	data []byte
	n    int
}

// IsBatch reports whether data begins as an array, that is, whether it is for
// [DecodeBatch] and not for [Envelope.Decode].
func IsBatch(data []byte) bool {
	i := skipSpace(data, 0)
	return i < len(data) && data[i] == '['
}

// DecodeBatch validates data as one array. The error is an *Error, like that of
// Decode. It has CodeInvalidRequest if data is an empty array or another value
// than an array. DecodeBatch does not check whether the elements are messages:
// see [Batch.Messages].
func DecodeBatch(data []byte) (Batch, error) {
	switch {
	case uint64(len(data)) > maxText:
		return Batch{}, errSize
	case !utf8.Valid(data):
		return Batch{}, errUTF8
	}
	if i := scanText(data); i < 0 {
		return Batch{}, scanError(i)
	}
	if !IsBatch(data) {
		return Batch{}, errNotBatch
	}
	n := 0
	for range Elements(data) {
		n++
	}
	if n == 0 {
		return Batch{}, errEmptyBatch
	}
	return Batch{data, n}, nil
}

// Len returns the number of elements.
func (b Batch) Len() int { return b.n }

// Messages decodes one element after another into m and yields the error of
// m.Decode, which is nil or an *Error with CodeInvalidRequest.
func (b Batch) Messages(m *Envelope) iter.Seq[error] {
	return func(yield func(error) bool) {
		for element := range Elements(b.data) {
			if !yield(m.Decode(element)) {
				return
			}
		}
	}
}
