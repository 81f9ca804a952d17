package fsimage

import (
	"bytes"
	"testing"
)

func TestIdentify(t *testing.T) {
	image := func(off int, magic string) []byte {
		b := make([]byte, 1<<17)
		copy(b[off:], magic)
		return b
	}
	for want, data := range map[string][]byte{
		"xfs": image(0, "XFSB"), "btrfs": image(0x10040, "_BHRfS_M"), "luks": image(0, "LUKS\xba\xbe"),
		"swap": image(4086, "SWAPSPACE2"),
		"gpt":  image(512, "EFI PART"), "mbr": image(510, "\x55\xaa"), "lvm": image(512, "LABELONE"),
		"ntfs": image(3, "NTFS    "), "ext2": image(0x438, "\x53\xef"),
		"empty": make([]byte, 1<<17), "": image(77, "x"),
	} {
		fs, err := Identify(bytes.NewReader(data))
		if err != nil || fs.Type != want {
			t.Errorf("%q: %+v %v", want, fs, err)
		}
		if _, err := Identify(bytes.NewReader(data[:600])); err != nil {
			t.Errorf("%q, short: %v", want, err)
		}
	}
}
