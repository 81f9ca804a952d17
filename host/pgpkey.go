package host

import (
	"crypto/sha1" // RFC 4880, section 12.2, defines fingerprints with it
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const pgpBegin, pgpEnd = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"

// pgpFingerprints returns the fingerprints, in hexadecimal, of the primary keys in a text with ASCII-armored public
// keys (RFC 4880): whoever has one of them can sign what the text makes trusted.
func pgpFingerprints(text string) (prints []string, err error) {
	for {
		_, rest, ok := strings.Cut(text, pgpBegin)
		if !ok {
			break
		}
		body, after, ok := strings.Cut(rest, pgpEnd)
		if !ok {
			return nil, errors.New("the key has no end")
		}
		keys, err := pgpPrimaries(body)
		if err != nil {
			return nil, err
		}
		prints, text = append(prints, keys...), after
	}
	if len(prints) == 0 {
		return nil, errors.New("there is no public key")
	}
	return prints, nil
}

// pgpPrimaries returns the fingerprints of the primary keys of one block: after its headers, which end with an empty
// line, and before the checksum, which begins with =.
func pgpPrimaries(body string) (prints []string, err error) {
	body = strings.ReplaceAll(body, "\r", "")
	if _, after, ok := strings.Cut(body, "\n\n"); ok {
		body = after
	}
	var code strings.Builder
	for line := range strings.Lines(body) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "=") {
			break
		}
		code.WriteString(line)
	}
	b, err := base64.StdEncoding.DecodeString(code.String())
	if err != nil {
		return nil, err
	}
	for len(b) > 0 {
		tag, packet, rest, err := pgpPacket(b)
		if err != nil {
			return nil, err
		}
		b = rest
		if tag != 6 { // a public key that is not a subkey
			continue
		}
		if len(packet) == 0 || packet[0] != 4 {
			return nil, errors.New("the key is not of version 4")
		}
		h := sha1.New()
		h.Write([]byte{0x99, byte(len(packet) >> 8), byte(len(packet))})
		h.Write(packet)
		prints = append(prints, hex.EncodeToString(h.Sum(nil)))
	}
	return prints, nil
}

// pgpPacket splits off the first packet (RFC 4880, section 4.2).
func pgpPacket(b []byte) (tag int, packet, rest []byte, err error) {
	cut := errors.New("the key is cut off")
	if b[0]&0x80 == 0 {
		return 0, nil, nil, errors.New("this is not a key")
	}
	octets, length := 0, 0 // of the length, and of the packet
	first := b[0]
	b = b[1:]
	if first&0x40 == 0 {
		tag, octets = int(first>>2&0xf), 1<<(first&3)
		if octets == 8 {
			return 0, nil, nil, fmt.Errorf("packet %d has no length", tag)
		}
		if len(b) < octets {
			return 0, nil, nil, cut
		}
		for _, x := range b[:octets] {
			length = length<<8 | int(x)
		}
	} else {
		tag = int(first & 0x3f)
		switch {
		case len(b) == 0:
			return 0, nil, nil, cut
		case b[0] < 192:
			octets, length = 1, int(b[0])
		case b[0] < 224 && len(b) > 1:
			octets, length = 2, (int(b[0])-192)<<8+int(b[1])+192
		case b[0] == 255 && len(b) > 4:
			octets, length = 5, int(b[1])<<24|int(b[2])<<16|int(b[3])<<8|int(b[4])
		default:
			return 0, nil, nil, fmt.Errorf("packet %d has no length", tag)
		}
	}
	b = b[octets:]
	if length < 0 || length > len(b) {
		return 0, nil, nil, cut
	}
	return tag, b[:length], b[length:], nil
}

// checkFingerprint returns why the text is not the one key with the fingerprint; nil if it is.
func checkFingerprint(text, want string) error {
	prints, err := pgpFingerprints(text)
	if err != nil {
		return err
	}
	want = strings.ToLower(strings.ReplaceAll(want, " ", ""))
	for _, have := range prints {
		if have != want {
			return fmt.Errorf("has the fingerprint %s", strings.ToUpper(have))
		}
	}
	return nil
}
