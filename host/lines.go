package host

import (
	"slices"
	"strings"
)

// splitKeep splits text into lines that keep their newlines; the last line may have none.
func splitKeep(s string) []string { return slices.Collect(strings.Lines(s)) }

// lineText returns the line without its end: a newline, or a carriage return and a newline.
func lineText(line string) string { return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r") }

// lineEnd returns what ends the lines of a file: what ends most of them.
func lineEnd(lines []string) string {
	dos, unix := 0, 0
	for _, l := range lines {
		switch {
		case strings.HasSuffix(l, "\r\n"):
			dos++
		case strings.HasSuffix(l, "\n"):
			unix++
		}
	}
	if dos > unix {
		return "\r\n"
	}
	return "\n"
}

// replaced returns the line with another text. It ends as the other lines do, and a last line without a
// newline keeps having none.
func replaced(line, text, end string) string {
	if !strings.HasSuffix(line, "\n") {
		return text
	}
	return text + end
}
