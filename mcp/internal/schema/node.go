package schema

import (
	"regexp"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A verdict is the fast path's answer.
type verdict uint8

const (
	unsure verdict = iota // the judge must be asked
	yes
	no
)

// kinds is a set of JSON types. An integer is a number without a fraction.
type kinds uint8

const (
	kindNull kinds = 1 << iota
	kindBoolean
	kindInteger
	kindNumber
	kindString
	kindArray
	kindObject

	anyKind = kindNull | kindBoolean | kindInteger | kindNumber | kindString | kindArray | kindObject
)

// A node is one schema of the fast path's subset. It is immutable once
// compileFast has returned.
type node struct {
	kinds   kinds // the types it allows
	decimal bool  // whether a number's value matters: numbers or enum are set
	integer bool  // integers only: kindNumber is not allowed
	enum    *enum
	numbers []numberRule
	str     *stringRule
	arr     *array
	obj     *object
	also    *also
}

// An enum holds the scalars of enum or const.
type enum struct {
	kinds   kinds // of null, true and false: the ones it holds at all
	yes, no bool  // whether it holds true, and false
	strings []string
	set     map[string]struct{} // instead of strings if there are many
	numbers []decimal
}

// A stringRule bounds a string.
type stringRule struct {
	min, max int // in code points; max < 0: without limit
	pattern  *regexp.Regexp
}

// An array says what holds for an array's items.
type array struct {
	min, max int // max < 0: without limit
	unique   bool
	prefix   []*node
	items    *node // nil: the items behind prefix may be anything
}

// An object says what holds for an object's members.
type object struct {
	min, max int // max < 0: without limit
	props    []prop
	index    map[string]int // of props, if there are many
	required uint64         // the bits of all required props
	others   *node          // additionalProperties; nil: they may be anything
}

// A prop is a member that the schema names.
type prop struct {
	name string
	node *node  // nil: may be anything
	bit  uint64 // its bit in object.required, or 0
}

// also holds what further applies to the same value.
type also struct {
	all         []*node // allOf and $ref
	any, one    []*node // nil: no such keyword
	not         *node
	cond        *node // if
	then, other *node // nil: nothing
}

const (
	// fewNames is up to how many names are compared one by one.
	fewNames = 8

	// maxRequired is how many required properties fit in object.required.
	maxRequired = 64
)

// compileFast returns the node tree for s, or nil if s is outside of the subset.
func compileFast(s *jsonschema.Schema) *node {
	c := fastCompiler{nodes: map[*jsonschema.Schema]*node{}, ok: true}
	n := c.node(s)
	if !c.ok {
		return nil
	}
	return n
}

// A fastCompiler makes each schema's node once, so that a recursive schema
// becomes a cyclic graph.
type fastCompiler struct {
	nodes map[*jsonschema.Schema]*node
	ok    bool // cleared by the first keyword outside of the subset
}

// node returns the node for s. Its contents may not be complete before
// compileFast returns.
func (c *fastCompiler) node(s *jsonschema.Schema) *node {
	// A reference with nothing beside it is the schema that it refers to.
	for s.Ref != nil && (s.DraftVersion < 2019 && s.Const == nil || onlyRef(s)) {
		s = s.Ref
	}
	if n := c.nodes[s]; n != nil {
		return n
	}
	n := &node{kinds: anyKind}
	c.nodes[s] = n
	c.compileNode(n, s)
	return n
}

// onlyRef reports whether $ref is the only keyword of s that says something
// about the value.
func onlyRef(s *jsonschema.Schema) bool {
	return s.Bool == nil && s.Types == nil && s.Enum == nil && s.Const == nil && !beyond(s) &&
		!hasObject(s) && !hasArray(s) && !hasString(s) && !hasNumber(s) &&
		s.AllOf == nil && s.AnyOf == nil && s.OneOf == nil && s.Not == nil && s.If == nil
}

// beyond reports whether s uses a keyword that is outside of the subset.
func beyond(s *jsonschema.Schema) bool {
	return s.RecursiveRef != nil || s.DynamicRef != nil || s.Format != nil || len(s.Extensions) > 0 ||
		s.PropertyNames != nil || len(s.PatternProperties) > 0 || len(s.Dependencies) > 0 ||
		len(s.DependentRequired) > 0 || len(s.DependentSchemas) > 0 || s.UnevaluatedProperties != nil ||
		s.Contains != nil || s.UnevaluatedItems != nil ||
		s.ContentEncoding != nil || s.ContentMediaType != nil || s.ContentSchema != nil
}

func hasObject(s *jsonschema.Schema) bool {
	return s.MinProperties != nil || s.MaxProperties != nil || len(s.Required) > 0 || len(s.Properties) > 0 || s.AdditionalProperties != nil
}

func hasArray(s *jsonschema.Schema) bool {
	return s.MinItems != nil || s.MaxItems != nil || s.UniqueItems || s.Items != nil || s.AdditionalItems != nil ||
		len(s.PrefixItems) > 0 || s.Items2020 != nil
}

func hasString(s *jsonschema.Schema) bool {
	return s.MinLength != nil || s.MaxLength != nil || s.Pattern != nil
}

func hasNumber(s *jsonschema.Schema) bool {
	return s.Minimum != nil || s.Maximum != nil || s.ExclusiveMinimum != nil || s.ExclusiveMaximum != nil || s.MultipleOf != nil
}
