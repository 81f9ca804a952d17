package utillinux

import "testing"

func FuzzSfdiskScript(f *testing.F) {
	for _, s := range []string{"label: gpt\n,,L\n", ",100M,S\n,+\n", "start=2048, size=10G, type=L\n",
		"label: dos\n/dev/sda1 : start= 2048, size= 10, type=83\n", "foo", ",,,*\n;\n",
		"size=9999999999999999999999\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		label, wishes, err := sfdiskScript(s)
		if err != nil {
			return
		}
		const size = 10 << 30
		parts, err := layOut(size, label, wishes)
		if err != nil {
			return
		}
		for i, a := range parts {
			if a.start < sector || a.size <= 0 || a.start+a.size > size {
				t.Errorf("%q: part %d is at %d+%d", s, i+1, a.start, a.size)
			}
			for _, b := range parts[:i] {
				if a.start < b.start+b.size && b.start < a.start+a.size {
					t.Errorf("%q: parts overlap", s)
				}
			}
		}
	})
}

func TestHumanSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1: "1B", 1023: "1023B", 1024: "1K", 1536: "1.5K", 10481664: "10M",
		500107862016: "465.8G", 63864569856: "59.5G", 1 << 40: "1T", 104857600: "100M", 1<<30 - 4096: "1024M"} {
		if got := humanSize(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
	if got := longSize(1 << 30); got != "1 GiB" {
		t.Error(got)
	}
}
