package schema

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// kindText says what a failed keyword requires.
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

// value returns the JSON text of v, cut to a length that fits in a failure.
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

// rat returns r as a decimal, which is exact if it is short.
func rat(r *big.Rat) string {
	if r.IsInt() && len(r.Num().Bytes()) <= 8 {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}
