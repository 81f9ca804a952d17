package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
)

var (
	decimal  = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)
	fraction = regexp.MustCompile(`^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$`)
	octal    = regexp.MustCompile(`^0[0-7]{3,4}$`)
)

// isQuoted reports whether the scalar is written in quotes or as a block.
func isQuoted(n *yaml.Node) bool {
	return n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// scalarNames are the names of the kinds in messages.
var scalarNames = map[kind]string{
	kindBool: "true or false", kindInt: "a whole number", kindUint: "a whole number", kindFloat: "a finite number",
	kindString: "text", kindDuration: "a duration", kindMode: "a file mode", kindText: "text",
}

// scalar is the decoding of one single value.
type scalar struct {
	d      *decoder
	shape  *shape
	n      *yaml.Node
	v      reflect.Value
	at     *place
	secret bool // do not repeat the text
}

// scalar decodes a single value.
func (d *decoder) scalar(s *shape, n *yaml.Node, v reflect.Value, at *place, secret bool) {
	c := scalar{d, s, n, v, at, secret}
	if n.Kind != yaml.ScalarNode {
		c.wrongKind("")
		return
	}
	if n.ShortTag() == "!!null" {
		if s.kind == kindString || s.kind == kindText {
			c.wrongKind(`write "" if it is intended to be empty`)
		} else {
			c.wrongKind("write a value, or remove the key")
		}
		return
	}
	if !secret {
		d.doc.shown[n] = true
	}
	switch s.kind {
	case kindBool:
		c.boolean()
	case kindInt, kindUint:
		c.integer()
	case kindFloat:
		c.float()
	case kindDuration:
		c.duration()
	case kindMode:
		c.mode()
	case kindString:
		c.text()
	case kindText:
		c.unmarshal()
	}
}

func (c *scalar) wrongKind(hint string) {
	c.d.wrongKind(c.n, c.at, c.secret, scalarNames[c.shape.kind], hint)
}

func (c *scalar) wrong(message, hint string) {
	p := lab.Problem{Message: message, Hint: hint}
	if !c.secret {
		p.Text = clip(c.n.Value)
	}
	c.d.add(c.n, c.at, p)
}

// isNumber reports whether the value is a number without quotes.
func (c *scalar) isNumber() bool {
	tag := c.n.ShortTag()
	return !isQuoted(c.n) && (tag == "!!int" || tag == "!!float")
}

func (c *scalar) boolean() {
	switch {
	case c.n.ShortTag() == "!!bool":
		c.v.SetBool(strings.EqualFold(c.n.Value, "true"))
	case isQuoted(c.n) && slices.Contains([]string{"true", "false"}, c.n.Value):
		c.wrongKind("remove the quotes")
	default:
		c.wrongKind(nearBool(c.n.Value))
	}
}

func (c *scalar) integer() {
	text := c.n.Value
	switch {
	case isQuoted(c.n) && decimal.MatchString(text):
		c.wrongKind("remove the quotes")
	case !c.isNumber() || c.n.ShortTag() == "!!float" && !decimal.MatchString(text):
		c.wrongKind("")
	case !decimal.MatchString(text):
		c.wrong("a whole number is written in decimal digits, without a leading zero", "")
	case c.shape.kind == kindInt:
		x, err := strconv.ParseInt(text, 10, c.shape.typ.Bits())
		if err != nil {
			lowest := int64(-1) << (c.shape.typ.Bits() - 1)
			c.wrong(fmt.Sprintf("not between %d and %d", lowest, -(lowest+1)), "")
			return
		}
		c.v.SetInt(x)
	default:
		x, err := strconv.ParseUint(strings.TrimPrefix(text, "+"), 10, c.shape.typ.Bits())
		if err != nil {
			c.wrong(fmt.Sprintf("not between 0 and %d", uint64(math.MaxUint64)>>(64-c.shape.typ.Bits())), "")
			return
		}
		c.v.SetUint(x)
	}
}

func (c *scalar) float() {
	if !c.isNumber() || !fraction.MatchString(c.n.Value) {
		hint := ""
		if isQuoted(c.n) && fraction.MatchString(c.n.Value) {
			hint = "remove the quotes"
		}
		c.wrongKind(hint)
		return
	}
	x, err := strconv.ParseFloat(c.n.Value, c.shape.typ.Bits())
	if err != nil {
		c.wrong("too large for a number", "")
		return
	}
	c.v.SetFloat(x)
}

func (c *scalar) duration() {
	x, err := time.ParseDuration(c.n.Value)
	if err != nil || !isQuoted(c.n) && c.n.ShortTag() == "!!int" {
		hint := "write 30s, 10m or 1h30m"
		if decimal.MatchString(c.n.Value) && !c.secret {
			hint = "add a unit: " + c.n.Value + "s"
		}
		c.wrong("not a duration", hint)
		return
	}
	c.v.SetInt(int64(x))
}

func (c *scalar) mode() {
	if !octal.MatchString(c.n.Value) {
		hint := "write octal digits with a leading zero: 0644"
		if octal.MatchString("0"+c.n.Value) && !c.secret {
			hint = "write 0" + c.n.Value
		}
		c.wrong("not a file mode", hint)
		return
	}
	x, _ := strconv.ParseUint(c.n.Value, 8, 32)
	c.v.SetUint(uint64(fileMode(uint32(x))))
}

func (c *scalar) text() {
	if c.isNumber() || !isQuoted(c.n) && c.n.ShortTag() == "!!bool" {
		hint := "quote it"
		if !c.secret && len(c.n.Value) < maxText {
			hint = "quote it: " + strconv.Quote(c.n.Value)
		}
		c.wrongKind(hint)
		return
	}
	if c.isAllowed() {
		c.v.SetString(c.n.Value)
	}
}

// unmarshal passes the text to the value's own method.
func (c *scalar) unmarshal() {
	if !c.isAllowed() {
		return
	}
	err := c.v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(c.n.Value))
	if err == nil {
		return
	}
	var ps lab.Problems
	if errors.As(err, &ps) {
		for _, p := range ps {
			if c.secret {
				p.Text = ""
			}
			p.Path = lab.Problems{p}.Under(c.at.String())[0].Path
			c.d.add(c.n, c.at, p)
		}
		return
	}
	hint := ""
	var le *lab.Error
	if errors.As(err, &le) {
		hint = le.Hint
	}
	switch {
	case !c.secret:
		message := err.Error()
		if _, rest, ok := strings.Cut(message, "): "); ok && strings.HasPrefix(message, "netip.") { // netip.ParsePrefix("x"): no '/'
			message, hint = rest, "write 192.0.2.0/24, or 192.0.2.1/32 for one address"
			if strings.HasPrefix(err.Error(), "netip.ParseAddr") {
				hint = "write an IP address"
			}
		}
		c.wrong(message, hint)
	case c.shape.secret: // the errors of lab's own types do not repeat the text
		c.d.add(c.n, c.at, lab.Problem{Message: err.Error(), Hint: hint})
	default:
		c.d.add(c.n, c.at, lab.Problem{Message: "not a valid value"})
	}
}

// isAllowed reports whether the text is one of the values that the type allows.
func (c *scalar) isAllowed() bool {
	allowed := c.shape.values
	if allowed == nil || slices.Contains(allowed, c.n.Value) {
		return true
	}
	p := lab.Problem{Message: "not one of " + strings.Join(allowed, ", ")}
	if !c.secret {
		p.Text = clip(c.n.Value)
		if near := lab.Nearest(p.Text, allowed); near != "" {
			p.Hint = "nearest: " + near
		}
	}
	c.d.add(c.n, c.at, p)
	return false
}

// nearBool returns a hint for text that YAML 1.1 read as a boolean; empty for any other.
func nearBool(text string) string {
	switch strings.ToLower(text) {
	case "yes", "y", "on":
		return "write true"
	case "no", "n", "off":
		return "write false"
	}
	return ""
}

// fileMode returns the mode with the 12 bits of chmod.
func fileMode(bits uint32) fs.FileMode {
	m := fs.FileMode(bits & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if bits&bit != 0 {
			m |= flag
		}
	}
	return m
}
