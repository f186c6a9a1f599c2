package schema

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// A ValidationError says why a value does not conform to a schema. Its text is
// made for whoever has to correct the value: up to five failures, each with the
// place in the value as a JSON Pointer (RFC 6901), at most 1 KiB, always the
// same for the same value.
type ValidationError struct {
	text string
}

func (e *ValidationError) Error() string { return e.text }

// refusal is the error for a value that is refused as a whole.
func refusal(why string) *ValidationError {
	return &ValidationError{text: "schema: " + clip(why, maxErrorText-len("schema: "))}
}

// A failure is one line of a ValidationError.
type failure struct {
	at   []string
	text string
}

// maxFailureText keeps maxFailures failures and the count of the others
// within maxErrorText.
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
	fs := failures(nil, e)
	slices.SortStableFunc(fs, func(a, b failure) int {
		return cmp.Or(slices.Compare(a.at, b.at), strings.Compare(a.text, b.text))
	})
	lines := make([]string, 0, maxFailures+1)
	more := 0
	for _, f := range fs {
		line := f.String()
		switch {
		case slices.Contains(lines, line):
		case len(lines) < maxFailures:
			lines = append(lines, line)
		default:
			more++
		}
	}
	text := strings.Join(lines, "; ")
	if more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// failures appends the leaves below e: the failures that the value's author can
// do something about.
func failures(dst []failure, e *jsonschema.ValidationError) []failure {
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		for _, c := range e.Causes {
			dst = failures(dst, c)
		}
		return dst
	case *kind.AnyOf:
		return append(dst, failure{e.InstanceLocation, alternatives("anyOf", e)})
	case *kind.OneOf:
		if len(k.Subschemas) == 2 {
			return append(dst, failure{e.InstanceLocation, fmt.Sprintf("must match exactly one alternative of oneOf, but matches the alternatives %d and %d (counted from 0)", k.Subschemas[0], k.Subschemas[1])})
		}
		return append(dst, failure{e.InstanceLocation, alternatives("oneOf", e)})
	case *kind.PropertyNames:
		text := fmt.Sprintf("property name %s is not allowed", quote(k.Property))
		if why := failures(nil, &jsonschema.ValidationError{ErrorKind: &kind.Group{}, Causes: e.Causes}); len(why) > 0 {
			text += ": " + why[0].text
		}
		return append(dst, failure{e.InstanceLocation, text})
	}
	return append(dst, failure{e.InstanceLocation, kindText(e.ErrorKind)})
}

// alternatives tells the first failure of each of the first alternatives.
func alternatives(keyword string, e *jsonschema.ValidationError) string {
	const most = 4
	var b strings.Builder
	fmt.Fprintf(&b, "matches no alternative of %s", keyword)
	said := map[string]bool{}
	for _, c := range e.Causes {
		fs := failures(nil, c)
		if len(fs) == 0 {
			continue
		}
		f := slices.MinFunc(fs, func(a, b failure) int {
			return cmp.Or(slices.Compare(a.at, b.at), strings.Compare(a.text, b.text))
		})
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

// kindText tells what a failed keyword asks for.
func kindText(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return fmt.Sprintf("must be %s, not %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Required:
		return plural("missing required property ", "missing required properties ", k.Missing)
	case *kind.AdditionalProperties:
		slices.Sort(k.Properties)
		return plural("unexpected property ", "unexpected properties ", k.Properties)
	case *kind.FalseSchema:
		return "is not allowed here"
	case *kind.Enum:
		return "must be one of " + list(k.Want)
	case *kind.Const:
		return "must be " + value(k.Want)
	case *kind.Format:
		if got, ok := k.Got.(string); ok {
			return fmt.Sprintf("%s is not a valid %s: %v", quote(got), k.Want, k.Err)
		}
		return fmt.Sprintf("is not a valid %s", k.Want)
	case *kind.Pattern:
		return fmt.Sprintf("%s does not match the pattern %s", quote(k.Got), quote(k.Want))
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters, but has %d", k.Want, k.Got)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters, but has %d", k.Want, k.Got)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items, but has %d", k.Want, k.Got)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items, but has %d", k.Want, k.Got)
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d properties, but has %d", k.Want, k.Got)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d properties, but has %d", k.Want, k.Got)
	case *kind.Minimum:
		return fmt.Sprintf("must be at least %s", rat(k.Want))
	case *kind.Maximum:
		return fmt.Sprintf("must be at most %s", rat(k.Want))
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("must be greater than %s", rat(k.Want))
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("must be less than %s", rat(k.Want))
	case *kind.MultipleOf:
		return fmt.Sprintf("must be a multiple of %s", rat(k.Want))
	case *kind.UniqueItems:
		return fmt.Sprintf("items %d and %d are equal, but must be unique", k.Duplicates[0], k.Duplicates[1])
	case *kind.AdditionalItems:
		return fmt.Sprintf("has %d items too many", k.Count)
	case *kind.Contains:
		return "must contain an item that matches contains"
	case *kind.MinContains:
		return fmt.Sprintf("must contain at least %d items that match contains, but has %d", k.Want, len(k.Got))
	case *kind.MaxContains:
		return fmt.Sprintf("must contain at most %d items that match contains, but has %d", k.Want, len(k.Got))
	case *kind.Dependency:
		return plural("missing property ", "missing properties ", k.Missing) + ", required because " + quote(k.Prop) + " is present"
	case *kind.DependentRequired:
		return plural("missing property ", "missing properties ", k.Missing) + ", required because " + quote(k.Prop) + " is present"
	case *kind.Not:
		return "matches the schema of not, but must not"
	case *kind.RefCycle:
		return "cannot be checked: the schema refers to itself without end"
	}
	return "fails " + strings.Join(k.KeywordPath(), "/")
}

func plural(one, many string, names []string) string {
	var b strings.Builder
	b.WriteString(one)
	if len(names) > 1 {
		b.Reset()
		b.WriteString(many)
	}
	for i, n := range names {
		if b.Len() > maxFailureText {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(n))
	}
	return b.String()
}

func list(vs []any) string {
	var b strings.Builder
	for i, v := range vs {
		if b.Len() > maxFailureText {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(value(v))
	}
	return b.String()
}

// value returns the JSON text of v, cut to what fits in a failure.
func value(v any) string {
	if s, ok := v.(string); ok {
		return quote(s)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "a certain value"
	}
	return clip(string(text), 80)
}

func quote(s string) string { return strconv.Quote(clip(s, 60)) }

// rat returns r as a decimal, exact if it is short.
func rat(r *big.Rat) string {
	if r.IsInt() && len(r.Num().Bytes()) <= 8 {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}
