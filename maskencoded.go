package lab

import (
	"encoding/hex"
	"strings"
)

// window is 8 characters of a text.
type window uint64

// windowSize is the length of a window in characters. 8 characters of base64 are 6 bytes of a secret:
// they do not occur by chance.
const windowSize = 8

// minHex is the length in characters below which hexadecimal is not masked: 8 of them are 4 bytes, and
// may be found in a checksum.
const minHex = 12

// encodedParts finds secrets that are encoded in base64 or hexadecimal, whole or in part, by all
// windows of their encodings: an encoded text is wrapped at any column, and cut at any place.
type encodedParts struct{ base64, hex map[window]bool }

// add adds a secret.
func (e encodedParts) add(v string) {
	for _, text := range base64Within(v) {
		addWindows(e.base64, text)
	}
	text := hex.EncodeToString([]byte(v))
	addWindows(e.hex, text)
	addWindows(e.hex, strings.ToUpper(text))
}

func addWindows(to map[window]bool, text string) {
	var w window
	for i := range len(text) {
		if w = w<<8 | window(text[i]); i >= windowSize-1 {
			to[w] = true
		}
	}
}

// find returns where text holds parts of the secrets.
func (e encodedParts) find(text string) []stretch {
	return append(findWindows(text, e.base64, windowSize), findWindows(text, e.hex, minHex)...)
}

// findWindows returns the stretches of text with at least shortest characters that consist of windows.
// Line breaks, and the indentation after them, do not interrupt a stretch.
func findWindows(text string, windows map[window]bool, shortest int) (found []stretch) {
	if len(windows) == 0 {
		return nil
	}
	var w window
	var at [windowSize]int // where the characters of w are
	n, count, broken := 0, 0, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\n' || c == '\r':
			broken = true
			continue
		case broken && (c == ' ' || c == '\t'):
			continue
		case !isBase64(c):
			n, broken = 0, false
			continue
		default:
			w, broken = w<<8|window(c), false
			at[n%windowSize] = i
			n++
		}
		if n < windowSize || !windows[w] {
			continue
		}
		from := at[n%windowSize]
		if last := len(found) - 1; last >= 0 && from < found[last].to {
			found[last].to = i + 1
			count++
		} else {
			if last >= 0 && count < shortest {
				found = found[:last]
			}
			found = append(found, stretch{from, i + 1})
			count = windowSize
		}
	}
	if last := len(found) - 1; last >= 0 && count < shortest {
		found = found[:last]
	}
	return found
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '+' || c == '/' || c == '-' || c == '_'
}
