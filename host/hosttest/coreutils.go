package hosttest

import (
	"maps"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// posixPrograms are coreutils, findutils, grep, sed, awk, diff, tar and gzip.
func posixPrograms() map[string]kernel.Program {
	all := coreTools()
	for _, t := range []map[string]kernel.Program{usageTools(), textTools(), sumTools(), findTools(), archiveTools()} {
		maps.Copy(all, t)
	}
	return all
}

// coreTools are the file tools of GNU coreutils.
func coreTools() map[string]kernel.Program {
	return map[string]kernel.Program{
		"cat": cmdCat, "date": cmdDate, "head": cmdHead, "tail": cmdTail, "tee": cmdTee, "dd": cmdDd,
		"cp": cmdCp, "mv": cmdMv, "ln": cmdLn, "rm": cmdRm, "rmdir": cmdRmdir,
		"mkdir": cmdMkdir, "mktemp": cmdMktemp, "touch": cmdTouch, "chmod": cmdChmod,
		"chown": cmdChown, "chgrp": cmdChown, "stat": cmdStat, "readlink": cmdReadlink,
		"realpath": cmdRealpath, "ls": cmdLs, "truncate": cmdTruncate, "sync": cmdSync,
		"install": cmdInstall, "basename": cmdBasename, "dirname": cmdDirname, "cmp": cmdCmp,
	}
}
