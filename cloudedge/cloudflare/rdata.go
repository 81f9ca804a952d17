package cloudflare

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// recordTypes are those that a spec can want.
var recordTypes = []string{"A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"}

// host returns a host name in lower case, with letters beyond a-z in xn-- (RFC 3492), and without a dot at its end. The API has
// the one as well as the other.
func host(name string) string {
	name = strings.TrimSuffix(name, ".")
	if ascii, err := idna.Punycode.ToASCII(strings.ToLower(name)); err == nil {
		return ascii
	}
	return strings.ToLower(name)
}

// whole returns the whole name of a record in a zone: "www" is "www.example.com".
func whole(name, zone string) string {
	name, zone = host(name), host(zone)
	switch {
	case name == "@" || name == "":
		return zone
	case inZone(name, zone):
		return name
	}
	return name + "." + zone
}

// within is a whole name without the zone, "@" for the zone itself.
func within(name, zone string) string {
	if name == zone {
		return "@"
	}
	return strings.TrimSuffix(name, "."+zone)
}

// rdata is what a record holds, as it is compared. Its text is that of a zone file.
type rdata struct {
	typ     string
	text    string // host, address or text
	numbers []uint16
	tag     string // of a CAA record
}

// parseRdata reads what a zone file says of a record of this type. A TXT record is a text, or texts in quotes.
func parseRdata(typ, content string) (rdata, error) {
	d := rdata{typ: typ}
	content = strings.TrimSpace(content)
	words := strings.Fields(content)
	want := map[string]int{"MX": 1, "SRV": 3}[typ]
	switch typ {
	case "A", "AAAA":
		ip, err := netip.ParseAddr(content)
		if err != nil || ip.Is4() != (typ == "A") || ip.Zone() != "" {
			return d, fmt.Errorf("%q is not the address of a record %s", content, typ)
		}
		d.text = ip.String()
	case "CNAME", "NS", "MX", "SRV":
		if len(words) != want+1 {
			return d, fmt.Errorf("%q is not what a record %s holds: %s", content, typ, form[typ])
		}
		for _, w := range words[:want] {
			n, err := strconv.ParseUint(w, 10, 16)
			if err != nil {
				return d, fmt.Errorf("%q is not a number up to 65535", w)
			}
			d.numbers = append(d.numbers, uint16(n))
		}
		d.text = host(words[want])
		if none := words[want] == "." && want > 0; !none && slices.Contains(strings.Split(d.text, "."), "") {
			return d, fmt.Errorf("%q is not a host name", words[want])
		}
	case "CAA":
		if len(words) < 3 {
			return d, fmt.Errorf("%q is not what a record CAA holds: %s", content, form[typ])
		}
		n, err := strconv.ParseUint(words[0], 10, 8)
		value, rest := strings.TrimSpace(content[len(words[0]):]), ""
		value = strings.TrimSpace(value[len(words[1]):])
		if strings.HasPrefix(value, `"`) {
			value, rest = unquote(value)
		}
		if err != nil || rest != "" {
			return d, fmt.Errorf("%q is not what a record CAA holds: %s", content, form[typ])
		}
		d.numbers, d.tag, d.text = []uint16{uint16(n)}, strings.ToLower(words[1]), value
	case "TXT":
		d.text = textOf(content)
		if len(d.text) > 4096 {
			return d, fmt.Errorf("%d bytes are more than a record TXT holds here: 4096", len(d.text))
		}
	default:
		return d, fmt.Errorf("records %s are not known here", typ)
	}
	return d, nil
}

// form is how contents are written.
var form = map[string]string{"MX": `write "10 mx.example.com"`, "SRV": `write "0 5 5269 xmpp.example.com"`,
	"CAA": `write 0 issue "letsencrypt.org"`, "CNAME": "write a host name", "NS": "write a host name"}

// String is the content as in a zone file.
func (d rdata) String() string {
	switch d.typ {
	case "MX", "SRV":
		var words []string
		for _, n := range d.numbers {
			words = append(words, strconv.Itoa(int(n)))
		}
		if d.text == "" {
			return strings.Join(append(words, "."), " ")
		}
		return strings.Join(append(words, d.text), " ")
	case "CAA":
		return fmt.Sprintf("%d %s %s", d.numbers[0], d.tag, quote(d.text))
	}
	return d.text
}

// body is what is sent to make a record hold it.
func (d rdata) body() map[string]any {
	host := d.text
	if host == "" {
		host = "."
	}
	switch d.typ {
	case "MX":
		return map[string]any{"content": host, "priority": d.numbers[0]}
	case "SRV":
		return map[string]any{"data": map[string]any{"priority": d.numbers[0], "weight": d.numbers[1], "port": d.numbers[2], "target": host}}
	case "CAA":
		return map[string]any{"data": map[string]any{"flags": d.numbers[0], "tag": d.tag, "value": d.text}}
	case "TXT":
		return map[string]any{"content": quoteText(d.text)}
	}
	return map[string]any{"content": d.text}
}

// maxString is how long one of the strings of a TXT record may be, in bytes (RFC 1035, 3.3).
const maxString = 255

// quoteText writes a text as a TXT record has it: in quotes, and in strings of up to 255 bytes.
func quoteText(text string) string {
	var parts []string
	for part := range slices.Chunk([]byte(text), maxString) {
		parts = append(parts, quote(string(part)))
	}
	if parts == nil {
		return `""`
	}
	return strings.Join(parts, " ")
}

// quote writes a string as a zone file has it (RFC 1035, 5.1): bytes that are not printable as \DDD.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for n := range len(s) {
		switch c := s[n]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// unquote reads a string in quotes at the beginning of s, and returns what comes after it. Without an end, it is all.
func unquote(s string) (text, rest string) {
	var b []byte
	for n := 1; n < len(s); n++ {
		switch c := s[n]; {
		case c == '"':
			return string(b), strings.TrimSpace(s[n+1:])
		case c == '\\' && n+3 < len(s) && digits(s[n+1:n+4]):
			code, _ := strconv.Atoi(s[n+1 : n+4])
			b = append(b, byte(code))
			n += 3
		case c == '\\' && n+1 < len(s):
			n++
			b = append(b, s[n])
		default:
			b = append(b, c)
		}
	}
	return string(b), ""
}

func digits(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && n < 256 && s[0] != '+' && s[0] != '-'
}

// textOf returns what a TXT record says: the strings in its quotes together. A content that does not begin with a quote is
// the text itself, as the API has it from those who did not know.
func textOf(content string) string {
	if !strings.HasPrefix(content, `"`) {
		return content
	}
	text := ""
	for rest := content; rest != ""; {
		if !strings.HasPrefix(rest, `"`) {
			return content // no sequence of strings in quotes: it is taken literally
		}
		var part string
		part, rest = unquote(rest)
		text += part
	}
	return text
}

// apiRecord is a record as the API has it.
type apiRecord struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Type     string          `json:"type"`
	Content  string          `json:"content"`
	Data     json.RawMessage `json:"data"`
	Priority *uint16         `json:"priority"`
	TTL      int             `json:"ttl"`
	Proxied  bool            `json:"proxied"`
	Comment  string          `json:"comment"`
	Meta     struct {
		ReadOnly bool `json:"read_only"`
	} `json:"meta"`
}

// content is what the record holds, as in a zone file. What cannot be read is as the API has it.
func (a apiRecord) content() string {
	var data struct {
		Flags    *uint16 `json:"flags"`
		Tag      string  `json:"tag"`
		Value    string  `json:"value"`
		Priority *uint16 `json:"priority"`
		Weight   uint16  `json:"weight"`
		Port     uint16  `json:"port"`
		Target   string  `json:"target"`
	}
	known := json.Unmarshal(a.Data, &data) == nil
	switch {
	case a.Type == "MX" && a.Priority != nil:
		return rdata{typ: "MX", numbers: []uint16{*a.Priority}, text: host(a.Content)}.String()
	case a.Type == "SRV" && known && data.Priority != nil:
		return rdata{typ: "SRV", numbers: []uint16{*data.Priority, data.Weight, data.Port}, text: host(data.Target)}.String()
	case a.Type == "CAA" && known && data.Flags != nil:
		return rdata{typ: "CAA", numbers: []uint16{*data.Flags}, tag: strings.ToLower(data.Tag), text: data.Value}.String()
	}
	if d, err := parseRdata(a.Type, a.Content); err == nil {
		return d.String()
	}
	return a.Content
}
