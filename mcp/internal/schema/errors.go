package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// A ValidationError says why a value does not conform to a schema. Its text is
// written for those who have to correct the value. It has up to five failures,
// each with its place in the value as a JSON Pointer (RFC 6901), and at most
// 1 KiB. It is always the same for the same value.
type ValidationError struct {
	text string
}

func (e *ValidationError) Error() string { return e.text }

// refused returns the error for the value at a JSON Pointer, or for the whole
// value if at is "".
func refused(at, why string) *ValidationError {
	if at != "" {
		why = clip(at, maxErrorText/2) + ": " + why
	}
	return &ValidationError{text: "schema: " + clip(why, maxErrorText-len("schema: "))}
}

// A failure is one line of a ValidationError.
type failure struct {
	at   []string
	text string
}

// maxFailureText is the maximum length of a failure's text. It keeps maxFailures
// failures and the count of the others within maxErrorText.
const maxFailureText = (maxErrorText - 64) / maxFailures

// pointer returns the place as a JSON Pointer.
func (f failure) pointer() string {
	var b strings.Builder
	for _, t := range f.at {
		b.WriteByte('/')
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(t, "~", "~0"), "/", "~1"))
	}
	return b.String()
}

func (f failure) String() string {
	at := f.pointer()
	if at == "" {
		return clip(f.text, maxFailureText)
	}
	return clip(clip(at, maxFailureText/2)+": "+f.text, maxFailureText)
}

// failureText lists the failures below e, in the order of their places.
func failureText(e *jsonschema.ValidationError) string {
	c := collector{most: maxFailures}
	c.add(e)
	lines := make([]string, 0, maxFailures+1)
	for _, f := range c.best {
		lines = append(lines, f.String())
	}
	if more := c.total - len(c.best); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}

// A collector keeps only the first failures, in the order of their places and
// texts, because a hostile value can have a million.
type collector struct {
	best  []failure
	most  int
	total int // number of failures; those equal to one in best are not counted again
}

// add collects the leaves below e: the failures that the value's author can do
// something about.
func (c *collector) add(e *jsonschema.ValidationError) {
	switch e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		for _, cause := range e.Causes {
			c.add(cause)
		}
		return
	}
	c.total++
	if len(c.best) == c.most && comparePlaces(e.InstanceLocation, c.best[c.most-1].at) > 0 {
		return
	}
	f := failure{e.InstanceLocation, leafText(e)}
	i, found := slices.BinarySearchFunc(c.best, f, func(a, b failure) int {
		return cmp.Or(comparePlaces(a.at, b.at), strings.Compare(a.text, b.text))
	})
	if found {
		c.total--
		return
	}
	c.best = slices.Insert(c.best, i, f)
	c.best = c.best[:min(len(c.best), c.most)]
}

// comparePlaces orders places token by token, and indexes by number.
func comparePlaces(a, b []string) int {
	return slices.CompareFunc(a, b, func(s, t string) int {
		if isIndex(s) && isIndex(t) && len(s) != len(t) {
			return cmp.Compare(len(s), len(t))
		}
		return strings.Compare(s, t)
	})
}

func isIndex(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// first returns the first failure below the causes; ok is false if there is none.
func first(causes ...*jsonschema.ValidationError) (f failure, ok bool) {
	c := collector{most: 1}
	for _, cause := range causes {
		c.add(cause)
	}
	if len(c.best) == 0 {
		return failure{}, false
	}
	return c.best[0], true
}

// leafText says what is wrong at e's place.
func leafText(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf:
		return alternatives("anyOf", e)
	case *kind.OneOf:
		if len(k.Subschemas) == 2 {
			return fmt.Sprintf("must match exactly one alternative of oneOf, but matches the alternatives %d and %d (counted from 0)", k.Subschemas[0], k.Subschemas[1])
		}
		return alternatives("oneOf", e)
	case *kind.PropertyNames:
		text := fmt.Sprintf("property name %s is not allowed", quote(k.Property))
		if why, ok := first(e.Causes...); ok {
			text += ": " + why.text
		}
		return text
	}
	return kindText(e.ErrorKind)
}

// alternatives lists the first failure of each of the first alternatives.
func alternatives(keyword string, e *jsonschema.ValidationError) string {
	const most = 4
	var b strings.Builder
	fmt.Fprintf(&b, "matches no alternative of %s", keyword)
	said := map[string]bool{}
	for _, c := range e.Causes {
		f, ok := first(c)
		if !ok {
			continue
		}
		f.at = f.at[min(len(e.InstanceLocation), len(f.at)):]
		text := clip(f.String(), 60)
		if said[text] {
			continue
		}
		if len(said) == most {
			b.WriteString(" or …")
			break
		}
		sep := " or "
		if len(said) == 0 {
			sep = ": "
		}
		said[text] = true
		b.WriteString(sep + text)
	}
	return b.String()
}
