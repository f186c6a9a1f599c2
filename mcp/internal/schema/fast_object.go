package schema

func (o *object) walk(b []byte, start int) (end int, v verdict) {
	var (
		i     = skipSpace(b, start+1)
		seen  uint64
		count = 0
		next  = 0 // the prop after the last one found, which is a good guess
	)
	if i < len(b) && b[i] == '}' {
		i++
	} else {
		for {
			if i >= len(b) || b[i] != '"' {
				return start, unsure
			}
			close, escaped := skipString(b, i)
			if escaped || close-i < 2 {
				return i, unsure
			}
			k := o.find(b[i+1:close-1], next)
			count++
			child := o.others
			if k >= 0 {
				seen |= o.props[k].bit
				child = o.props[k].node
				next = k + 1
			}
			if i = skipSpace(b, close); i >= len(b) { // the colon
				return start, unsure
			}
			if i = skipSpace(b, i+1); child == nil {
				i, v = walkAny(b, i)
			} else {
				i, v = child.walk(b, i)
			}
			if v != yes {
				return i, v
			}
			if i = skipSpace(b, i); i >= len(b) {
				return start, unsure
			}
			if b[i] == '}' {
				i++
				break
			}
			i = skipSpace(b, i+1) // the comma
		}
	}
	if seen&o.required != o.required || count < o.min || o.max >= 0 && count > o.max {
		return start, no
	}
	return i, yes
}

// find returns the index of the prop with the name, or -1. It tries guess first.
func (o *object) find(name []byte, guess int) int {
	if guess < len(o.props) && o.props[guess].name == string(name) {
		return guess
	}
	if o.index != nil {
		if k, ok := o.index[string(name)]; ok {
			return k
		}
		return -1
	}
	for k := range o.props {
		if o.props[k].name == string(name) {
			return k
		}
	}
	return -1
}

// check judges the value at b[i] by the schemas in a. If it is unsure about one
// of them, it is unsure about the value, unless that one cannot matter.
func (a *also) check(b []byte, i int) verdict {
	for _, n := range a.all {
		if _, v := n.walk(b, i); v != yes {
			return v
		}
	}
	if a.any != nil {
		if v := anyOf(a.any, b, i); v != yes {
			return v
		}
	}
	if a.one != nil {
		if v := oneOf(a.one, b, i); v != yes {
			return v
		}
	}
	if a.not != nil {
		switch _, v := a.not.walk(b, i); v {
		case unsure:
			return unsure
		case yes:
			return no
		}
	}
	if a.cond == nil {
		return yes
	}
	_, v := a.cond.walk(b, i)
	branch := a.then
	switch v {
	case unsure:
		return unsure
	case no:
		branch = a.other
	}
	if branch == nil {
		return yes
	}
	_, v = branch.walk(b, i)
	return v
}

func anyOf(ns []*node, b []byte, i int) verdict {
	result := no
	for _, n := range ns {
		switch _, v := n.walk(b, i); v {
		case yes:
			return yes
		case unsure:
			result = unsure
		}
	}
	return result
}

func oneOf(ns []*node, b []byte, i int) verdict {
	matched := 0
	for _, n := range ns {
		switch _, v := n.walk(b, i); v {
		case yes:
			matched++
		case unsure:
			return unsure
		}
	}
	if matched == 1 {
		return yes
	}
	return no
}
