package main

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// afterMerge returns the command that follows a merge. c is what a check found, nil if there was none.
func afterMerge(image string, chain *replica.Chain, c *fsimage.Checked) string {
	encrypted := func(w replica.Warning) bool { return w.Code == replica.WarnEncrypted }
	if slices.ContainsFunc(chain.Warnings, encrypted) || c != nil && c.FileSystem.Type == "luks" {
		return "cryptsetup open --readonly " + word(image) + " volume && replica check /dev/mapper/volume"
	}
	if c == nil {
		return "replica check " + word(image)
	}
	return afterCheck(image, c)
}

// afterCheck returns the command that follows a check: where the file system is sound, the extraction of
// its files.
func afterCheck(image string, c *fsimage.Checked) string {
	if !c.Clean {
		return ""
	}
	return "replica files -o " + word(image+".files") + " " + word(image)
}

// word returns s as one word of a shell command that a person may paste.
func word(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./+:=@"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
