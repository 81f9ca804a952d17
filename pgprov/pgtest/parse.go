package pgtest

import (
	"fmt"
	"slices"
	"strings"
)

// token is a piece of SQL.
type token struct {
	kind tokenKind
	text string // of a word in lower case, of a quoted name and of a string what they mean
	pos  int
}

type tokenKind int

const (
	end    tokenKind = iota
	word             // a keyword or a plain name
	quoted           // a quoted name
	str              // a string
	number
	param // $1
	punct
)

// lex cuts one or more statements into tokens.
func lex(sql string) (tokens []token, err error) {
	for i := 0; i < len(sql); {
		c := sql[i]
		start := i
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case strings.HasPrefix(sql[i:], "--"):
			for i < len(sql) && sql[i] != '\n' {
				i++
			}
			continue
		case c == '"':
			text, n := unquote(sql[i:], '"', false)
			if n == 0 {
				return nil, fmt.Errorf("unterminated quoted identifier")
			}
			i += n
			tokens = append(tokens, token{quoted, text, start})
		case c == '\'' || (c == 'E' || c == 'e') && i+1 < len(sql) && sql[i+1] == '\'':
			escapes := c != '\''
			if escapes {
				i++
			}
			text, n := unquote(sql[i:], '\'', escapes)
			if n == 0 {
				return nil, fmt.Errorf("unterminated quoted string")
			}
			i += n
			tokens = append(tokens, token{str, text, start})
		case strings.HasPrefix(sql[i:], "$$"):
			n := strings.Index(sql[i+2:], "$$")
			if n < 0 {
				return nil, fmt.Errorf("unterminated dollar-quoted string")
			}
			tokens = append(tokens, token{str, sql[i+2 : i+2+n], start})
			i += n + 4
		case c == '$':
			for i++; i < len(sql) && isDigit(sql[i]); i++ {
			}
			tokens = append(tokens, token{param, sql[start:i], start})
		case isDigit(c) || c == '-' && i+1 < len(sql) && isDigit(sql[i+1]):
			for i++; i < len(sql) && isDigit(sql[i]); i++ {
			}
			tokens = append(tokens, token{number, sql[start:i], start})
		case isLetter(c):
			for i++; i < len(sql) && (isLetter(sql[i]) || isDigit(sql[i])); i++ {
			}
			tokens = append(tokens, token{word, strings.ToLower(sql[start:i]), start})
		default:
			i++
			tokens = append(tokens, token{punct, sql[start:i], start})
		}
	}
	return tokens, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isLetter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// unquote reads what is in quotes at the beginning of s, and says how long it is; 0 means that it
// does not end.
func unquote(s string, q byte, escapes bool) (text string, n int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == q && i+1 < len(s) && s[i+1] == q:
			b.WriteByte(q)
			i++
		case s[i] == q:
			return b.String(), i + 1
		case escapes && s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", 0
}

// split cuts a simple query into its statements.
func split(sql string) ([]string, error) {
	tokens, err := lex(sql)
	if err != nil {
		return nil, err
	}
	var out []string
	from := 0
	for _, t := range tokens {
		if t.kind == punct && t.text == ";" {
			out = append(out, strings.TrimSpace(sql[from:t.pos]))
			from = t.pos + 1
		}
	}
	out = append(out, strings.TrimSpace(sql[from:]))
	kept := out[:0]
	for _, s := range out {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept, nil
}

// parser reads the tokens of one statement. Its methods panic with a syntaxError, which
// statement.run turns into PostgreSQL's.
type parser struct {
	tokens []token
	sql    string
}

type syntaxError struct{ near string }

func (p *parser) peek() token {
	if len(p.tokens) == 0 {
		return token{}
	}
	return p.tokens[0]
}

func (p *parser) fail() {
	near := "end of input"
	if t := p.peek(); t.kind != end {
		near = t.text
	}
	panic(syntaxError{near})
}

func (p *parser) next() token {
	if len(p.tokens) == 0 {
		p.fail()
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

// accept takes these words when they come next, all of them or none.
func (p *parser) accept(words ...string) bool {
	if len(p.tokens) < len(words) {
		return false
	}
	for i, w := range words {
		t := p.tokens[i]
		if t.text != w || t.kind != word && t.kind != punct && t.kind != number {
			return false
		}
	}
	p.tokens = p.tokens[len(words):]
	return true
}

func (p *parser) expect(words ...string) {
	if !p.accept(words...) {
		p.fail()
	}
}

func (p *parser) done() {
	if len(p.tokens) > 0 {
		p.fail()
	}
}

// reservedWords cannot be names without quotes (PostgreSQL, appendix C; those that functions and
// types may have are left out).
var reservedWords = strings.Fields(`all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
	current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc
	distinct do else end except false fetch for foreign from grant group having in initially intersect into
	lateral leading limit localtime localtimestamp not null offset on only or order placing primary references
	returning select session_user some symmetric system_user table then to trailing true union unique user using
	variadic when where window with authorization binary collation concurrently cross current_schema freeze full
	ilike inner is isnull join left like natural notnull outer overlaps right similar tablesample verbose`)

// name takes a name, quoted or not.
func (p *parser) name() string {
	t := p.next()
	if t.kind != quoted && (t.kind != word || slices.Contains(reservedWords, t.text)) {
		p.tokens = append([]token{t}, p.tokens...)
		p.fail()
	}
	return t.text
}

func (p *parser) names() []string {
	out := []string{p.name()}
	for p.accept(",") {
		out = append(out, p.name())
	}
	return out
}

func (p *parser) string() string {
	if p.peek().kind != str {
		p.fail()
	}
	return p.next().text
}

// qualified takes a name with or without a schema.
func (p *parser) qualified() (schema, name string) {
	name = p.name()
	if p.accept(".") {
		schema, name = name, p.name()
	}
	return schema, name
}

// grantee takes a role, or PUBLIC, which is "".
func (p *parser) grantee(s *session) string {
	if t := p.peek(); t.kind == word {
		switch t.text {
		case "public":
			p.next()
			return ""
		case "current_user", "current_role":
			p.next()
			return s.role
		case "session_user":
			p.next()
			return s.user
		}
	}
	return p.name()
}
