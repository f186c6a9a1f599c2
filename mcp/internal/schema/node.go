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
	decimal bool  // the value of a number matters, because numbers or enum are set
	integer bool  // only integers are allowed, not kindNumber
	enum    *enum
	numbers []numberRule
	str     *stringRule
	arr     *array
	obj     *object
	also    *also
}

// An enum holds the scalars of enum or const.
type enum struct {
	kinds   kinds // the kinds of null, true and false, where it holds them
	yes, no bool  // whether it holds true, and whether it holds false
	strings []string
	set     map[string]struct{} // instead of strings if there are many
	numbers []decimal
}

// A stringRule says what is required of a string.
type stringRule struct {
	min, max int // length in code points; max < 0 means no limit
	pattern  *regexp.Regexp
}

// An array says what is required of the items of an array.
type array struct {
	min, max int // max < 0: without limit
	unique   bool
	prefix   []*node
	items    *node // for items after prefix; nil if they may be anything
}

// An object says what is required of the members of an object.
type object struct {
	min, max int // max < 0: without limit
	props    []prop
	index    map[string]int // of props, if there are many
	required uint64         // the bits of all required props
	others   *node          // for additionalProperties; nil if they may be anything
}

// A prop is a member that the schema names.
type prop struct {
	name string
	node *node  // nil if it may be anything
	bit  uint64 // its bit in object.required, or 0
}

// also holds the other schemas that apply to the same value.
type also struct {
	all         []*node // allOf and $ref
	any, one    []*node // anyOf and oneOf; nil without the keyword
	not         *node
	cond        *node // if
	then, other *node // then and else; nil without the keyword
}

const (
	// fewNames is the number of names up to which they are compared one by one.
	fewNames = 8

	// maxRequired is the number of required properties that object.required can hold.
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
	// A schema with only a reference is the schema that it refers to.
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

// onlyRef reports whether $ref is the only keyword of s that restricts the value.
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
