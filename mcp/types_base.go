package mcp

import "fmt"

// GetMeta returns the metadata of the value that m is embedded in.
func (m Meta) GetMeta() map[string]any { return m }

// SetMeta replaces the metadata of the value that m is embedded in.
func (m *Meta) SetMeta(x map[string]any) { *m = x }

// Params are the params of a method: a pointer to one of the types of this package, or to a type
// that embeds [ParamsBase].
type Params interface {
	GetMeta() map[string]any
	SetMeta(map[string]any)

	isParams()
}

// RequestParams are the params of a request, which may carry the token of its progress
// notifications.
type RequestParams interface {
	Params

	// GetProgressToken returns the progress token in the metadata, or nil if there is none.
	GetProgressToken() any

	// SetProgressToken puts the token into the metadata. It panics unless the token is a string or
	// an integer.
	SetProgressToken(any)
}

// A Result is the result of a method: a pointer to one of the types of this package, or to a type
// that embeds [ResultBase].
type Result interface {
	GetMeta() map[string]any
	SetMeta(map[string]any)

	isResult()
}

// A CacheableResult is a [Result] with the caching fields of [Cacheable].
type CacheableResult interface {
	Result
	GetTTLMs() int
	GetCacheScope() string
}

// ParamsBase makes a type that embeds it the params of a method.
type ParamsBase struct {
	Meta `json:"_meta,omitempty"`
}

func (*ParamsBase) isParams() {}

// ResultBase makes a type that embeds it the result of a method.
type ResultBase struct {
	Meta `json:"_meta,omitempty"`
}

func (*ResultBase) isResult() {}

// A paramsOf[T] is a *T that is [Params].
type paramsOf[T any] interface {
	*T
	Params
}

// progressTokenKey is the member of _meta with the progress token.
const progressTokenKey = "progressToken"

func progressTokenOf(p Params) any { return p.GetMeta()[progressTokenKey] }

func setProgressToken(p Params, token any) {
	switch token.(type) {
	case string, int, int32, int64, uint32, uint64:
	default:
		panic(fmt.Sprintf("mcp: progress token %v is a %T, not a string or an integer", token, token))
	}
	m := p.GetMeta()
	if m == nil {
		m = make(map[string]any, 1)
		p.SetMeta(m)
	}
	m[progressTokenKey] = token
}
