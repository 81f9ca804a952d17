package ovh

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// rrset is the type and the name of records, in the letters by which they are compared: the name is relative to the
// zone, and empty for the zone itself.
type rrset struct{ Type, Name string }

func (s rrset) String() string {
	if s.Name == "" {
		return s.Type + " @"
	}
	return s.Type + " " + s.Name
}

// RecordID is how [Spec].Owned is asked for records: "ovh/record:arcodange.fr/CNAME/www", with "@" for the zone itself.
func RecordID(zone, recordType, name string) string {
	s := setOf(recordType, name)
	if s.Name == "" {
		s.Name = "@"
	}
	return step + "/record:" + zone + "/" + s.Type + "/" + s.Name
}

// setOf returns the type as DNS has it, of which OVH has three more for texts, and the name.
func setOf(recordType, name string) rrset {
	t := strings.ToUpper(recordType)
	if t == "SPF" || t == "DKIM" || t == "DMARC" {
		t = "TXT"
	}
	name = strings.ToLower(name)
	if name == "@" {
		name = ""
	}
	return rrset{t, name}
}

// types are those that can be wanted, as domain.zone.RecordTypeEnum has them, without OVH's own for texts.
var types = []string{"A", "AAAA", "CAA", "CNAME", "DNAME", "LOC", "MX", "NAPTR", "NS", "PTR", "SRV", "SSHFP", "TLSA", "TXT"}

// hosts are which fields of the data of a type are numbers before the name of a host.
var hosts = map[string]int{"CNAME": 0, "DNAME": 0, "NS": 0, "PTR": 0, "MX": 1, "SRV": 3}

// canonical returns the data of a record in one form, as it is sent, whichever form it comes in. A name of a host that
// does not end with a dot is below origin, which ends with one; with an empty origin it is an error. The error says
// what is wrong.
func canonical(recordType, target, origin string) (string, error) {
	switch recordType {
	case "TXT":
		text := target
		if strings.HasPrefix(target, `"`) {
			tokens, err := tokenize(target)
			if err != nil {
				return "", err
			}
			text = ""
			for _, t := range tokens {
				text += t.value
			}
		}
		return quoteText(text), nil
	case "CAA":
		return canonicalCAA(target)
	}
	parts := strings.Fields(target)
	if numbers, ok := hosts[recordType]; ok {
		return canonicalHost(numbers, parts, origin)
	}
	switch recordType {
	case "A", "AAAA":
		ip, err := netip.ParseAddr(target)
		if err != nil || ip.Zone() != "" || ip.Is4() != (recordType == "A") {
			return "", fmt.Errorf("is no address of %s", recordType)
		}
		return ip.String(), nil
	case "SSHFP", "TLSA":
		numbers := map[string]int{"SSHFP": 2, "TLSA": 3}[recordType]
		if len(parts) <= numbers {
			return "", fmt.Errorf("has fewer than %d fields", numbers+1)
		}
		data := strings.ToLower(strings.Join(parts[numbers:], "")) // it may be written in groups (RFC 4255, RFC 6698)
		if _, err := hex.DecodeString(data); err != nil {
			return "", fmt.Errorf("ends with no hexadecimal digits")
		}
		head, err := numbered(parts[:numbers])
		return head + data, err
	}
	if len(parts) == 0 {
		return "", fmt.Errorf("is empty")
	}
	return strings.Join(parts, " "), nil
}

// numbered returns fields that are numbers in their shortest form, each with a space behind it.
func numbered(fields []string) (string, error) {
	var b strings.Builder
	for _, f := range fields {
		n, err := strconv.ParseUint(f, 10, 16)
		if err != nil {
			return "", fmt.Errorf("begins with no number")
		}
		fmt.Fprintf(&b, "%d ", n)
	}
	return b.String(), nil
}

func canonicalHost(numbers int, parts []string, origin string) (string, error) {
	if len(parts) != numbers+1 {
		return "", fmt.Errorf("has not %d fields", numbers+1)
	}
	head, err := numbered(parts[:numbers])
	if err != nil {
		return "", err
	}
	host := strings.ToLower(parts[numbers])
	switch {
	case strings.HasSuffix(host, "."):
	case origin == "":
		return "", fmt.Errorf("does not end with a dot: OVH would put the zone behind it")
	case host == "@":
		host = origin
	default:
		host += "." + origin
	}
	return head + host, nil
}

func canonicalCAA(target string) (string, error) {
	tokens, err := tokenize(target)
	if err != nil || len(tokens) != 3 {
		return "", fmt.Errorf("is not a flag, a tag and a value")
	}
	head, err := numbered([]string{tokens[0].value})
	return head + strings.ToLower(tokens[1].value) + " " + quoteText(tokens[2].value), err
}

// longest is how long a string in a record may be (RFC 1035, 3.3); a text is as many of them as it needs.
const longest = 255

// quoteText writes a text as the strings of a zone file (RFC 1035, 5.1).
func quoteText(text string) string {
	if text == "" {
		return `""`
	}
	var b strings.Builder
	for chunk := range slices.Chunk([]byte(text), longest) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteByte('"')
		for _, c := range chunk {
			switch {
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
	}
	return b.String()
}

// content is the records of one type and name.
type content struct {
	targets []string // canonical, sorted
	ttl     int      // seconds; that of the zone where it was not given; mixed
}

// mixed is the time to live of records of one type and name that have several, which none may have (RFC 2181, 5.2).
const mixed = -1

func (c content) equal(o content) bool { return c.ttl == o.ttl && slices.Equal(c.targets, o.targets) }

func (c content) String() string { return fmt.Sprintf("%d %s", c.ttl, strings.Join(c.targets, " | ")) }
