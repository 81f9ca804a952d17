package hosttest

// coreTools are the file tools of GNU coreutils.
func coreTools() map[string]program {
	return map[string]program{
		"cat": cmdCat, "head": cmdHead, "tail": cmdTail, "tee": cmdTee, "dd": cmdDd,
		"cp": cmdCp, "mv": cmdMv, "ln": cmdLn, "rm": cmdRm, "rmdir": cmdRmdir,
		"mkdir": cmdMkdir, "mktemp": cmdMktemp, "touch": cmdTouch, "chmod": cmdChmod,
		"chown": cmdChown, "chgrp": cmdChown, "stat": cmdStat, "readlink": cmdReadlink,
		"realpath": cmdRealpath, "ls": cmdLs, "truncate": cmdTruncate, "sync": cmdSync,
		"install": cmdInstall, "basename": cmdBasename, "dirname": cmdDirname, "cmp": cmdCmp,
	}
}
