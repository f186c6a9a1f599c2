package uritemplate

import (
	"math"
	"strings"
)

// A set holds positions in a URI.
type set []uint64

func (s set) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s set) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// reach returns sets of positions from which the rest of uri is what the rest of
// parts expands to: for each part and for the end the positions where it can begin,
// and then, for one expression after the other, those of its values (see tables).
// It goes through uri backwards, part by part, so that nothing is tried twice.
func reach(parts []part, uri string) []set {
	words := (len(uri)+1)/64 + 1
	n := len(parts) + 1
	for i := range parts {
		n += parts[i].tables()
	}
	all, sets := make(set, words*(n+1)), make([]set, n+1)
	for i := range sets {
		sets[i] = all[i*words : (i+1)*words]
	}
	scratch := sets[n]
	sets[len(parts)].add(len(uri))
	for i := len(parts) - 1; i >= 0; i-- {
		p := &parts[i]
		n -= p.tables()
		p.before(uri, sets[i], sets[i+1], sets[n:n+p.tables()], scratch)
	}
	return sets
}

// tables returns how many sets p has: one for each variable, of the positions where
// its value can begin, and one for the names if the values are named.
func (p *part) tables() int {
	if p.op.named {
		return len(p.vars) + 1
	}
	return len(p.vars)
}

// before adds to from the positions where p can begin so that it ends at a
// position in to, and fills values. It uses starts as scratch.
func (p *part) before(uri string, from, to set, values []set, starts set) {
	if p.vars == nil {
		for i := 0; i+len(p.literal) <= len(uri); i++ {
			if to.has(i+len(p.literal)) && uri[i:i+len(p.literal)] == p.literal {
				from.add(i)
			}
		}
		return
	}
	if p.op.named {
		p.namesBefore(uri, to, values)
		starts = values[len(p.vars)]
	} else {
		clear(starts)
		for j := len(p.vars) - 1; j >= 0; j-- {
			p.valuesBefore(uri, to, values[j], &p.vars[j], starts, from)
			for i, word := range values[j] {
				starts[i] |= word
			}
		}
	}
	if p.op.first == 0 {
		return
	}
	for i := 0; i <= len(uri); i++ {
		if to.has(i) || i < len(uri) && uri[i] == p.op.first && starts.has(i+1) {
			from.add(i)
		}
	}
}

// limit returns the maximum number of characters in a value of v.
func (v *variable) limit() int {
	if v.max > 0 {
		return v.max
	}
	return math.MaxInt
}

// A trail holds, for the last positions that were looked at, the number of
// characters from there to the next position where a value can end, plus 1. 0
// means that there is none. Its length is a power of two above maxRune.
type trail [16]int

func (t *trail) at(i int) int { return t[i%len(t)] }

// step notes position i, which has a character of n octets, or none if n is 0, and
// where a value can end if ends is true. It returns the number of characters, plus
// 1, to the next position where a value can end, and to the next one that is not i.
func (t *trail) step(i, n int, ends bool) (next, other int) {
	if n > 0 {
		if other = t.at(i + n); other > 0 {
			other++
		}
	}
	if next = other; ends {
		next = 1
	}
	t[i%len(t)] = next
	return next, other
}

// valuesBefore adds to values the positions where a value of v can begin, given
// those of the variables behind it. If p has no leading character, it adds to from
// the positions where p can begin with v and at least one character.
func (p *part) valuesBefore(uri string, to, values set, v *variable, behind, from set) {
	most := v.limit()
	var t trail
	for i := len(uri); i >= 0; i-- {
		n, on := 0, false
		if i < len(uri) {
			n = p.unit(v, uri, i)
			on = uri[i] == p.op.sep && (behind.has(i+1) || v.explode && values.has(i+1))
		}
		next, other := t.step(i, n, on || to.has(i))
		if next > 0 && next-1 <= most {
			values.add(i)
		}
		if p.op.first == 0 && (on || other > 0 && other-1 <= most) {
			from.add(i)
		}
	}
}

// namesBefore adds to values the positions where the values of p can begin, and
// where their names can.
func (p *part) namesBefore(uri string, to set, values []set) {
	names := values[len(p.vars)]
	var trails [maxVars]trail
	for i := len(uri); i >= 0; i-- {
		ends := p.pairEnds(uri, i, to, names)
		for j := range p.vars {
			v := &p.vars[j]
			n := 0
			if i < len(uri) {
				n = p.unit(v, uri, i)
			}
			next, other := trails[j].step(i, n, ends)
			if next > 0 && next-1 <= v.limit() {
				values[j].add(i)
			}
			if v.explode && other > 0 {
				names.add(i) // any name will do
			}
		}
		if i == 0 || uri[i-1] != p.op.first && uri[i-1] != p.op.sep {
			continue // a name cannot begin here
		}
		for j := range p.vars {
			if _, ok := p.valueOf(uri, i, j, to, values); ok {
				names.add(i)
				break
			}
		}
	}
}

// pairEnds reports whether a name and its value can end at i.
func (p *part) pairEnds(uri string, i int, to, names set) bool {
	return to.has(i) || i < len(uri) && uri[i] == p.op.sep && names.has(i+1)
}

// valueOf returns where the value begins if the name of the variable j is at i, and
// whether it is and the rest of uri can be reached with it.
func (p *part) valueOf(uri string, i, j int, to set, values []set) (at int, ok bool) {
	if !strings.HasPrefix(uri[i:], p.vars[j].name) {
		return 0, false
	}
	at = i + len(p.vars[j].name)
	if at < len(uri) && uri[at] == '=' {
		return at + 1, values[j].has(at + 1)
	}
	return at, p.pairEnds(uri, at, to, values[len(p.vars)])
}
