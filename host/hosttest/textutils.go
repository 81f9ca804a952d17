package hosttest

// textTools work on lines of text.
func textTools() map[string]program {
	return map[string]program{
		"grep": cmdGrep, "egrep": cmdGrep, "fgrep": cmdGrep, "sort": cmdSort, "uniq": cmdUniq, "cut": cmdCut, "tr": cmdTr,
		"wc": cmdWc, "seq": cmdSeq, "tac": cmdTac, "mawk": cmdAwk, "sed": cmdSed, "diff": cmdDiff, "paste": cmdPaste, "expr": cmdExpr,
	}
}
