package inventory

import "slices"

// compileGlob returns a function that matches whole names, with regard to case, as Python's fnmatch
// does: * is any text, ? any character, [a-c] one of these characters and [!a-c] any other. A [
// that is not closed is literal.
func compileGlob(glob string) func(name string) bool {
	var tokens []globToken
	p := []rune(glob)
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '*':
			tokens = append(tokens, globToken{star: true})
			continue
		case '?':
			tokens = append(tokens, globToken{not: true})
			continue
		case '[':
			first := i + 1
			if first < len(p) && p[first] == '!' {
				first++
			}
			end := first
			if end < len(p) && p[end] == ']' {
				end++
			}
			for end < len(p) && p[end] != ']' {
				end++
			}
			if end < len(p) {
				t := globToken{not: first == i+2}
				for j := first; j < end; j++ {
					low, high := p[j], p[j]
					if j+2 < end && p[j+1] == '-' {
						high = p[j+2]
						j += 2
					}
					t.ranges = append(t.ranges, [2]rune{low, high})
				}
				tokens = append(tokens, t)
				i = end
				continue
			}
		}
		tokens = append(tokens, globToken{ranges: [][2]rune{{p[i], p[i]}}})
	}
	return func(name string) bool { return matchGlob(tokens, []rune(name)) }
}

// globToken is a star or a set of characters; with not, the characters outside the set.
type globToken struct {
	star   bool
	not    bool
	ranges [][2]rune
}

func (t globToken) matches(r rune) bool {
	in := slices.ContainsFunc(t.ranges, func(x [2]rune) bool { return x[0] <= r && r <= x[1] })
	return in != t.not
}

// matchGlob needs linear time, except that it backtracks to the last star if the rest does not match.
func matchGlob(tokens []globToken, name []rune) bool {
	t, n, star, from := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case t < len(tokens) && tokens[t].star:
			star, from = t, n
			t++
		case t < len(tokens) && tokens[t].matches(name[n]):
			t++
			n++
		case star >= 0:
			from++
			t, n = star+1, from
		default:
			return false
		}
	}
	for t < len(tokens) && tokens[t].star {
		t++
	}
	return t == len(tokens)
}
