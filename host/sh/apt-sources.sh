# Prints the package sources of the machine, each line after its file and a colon. apt reads no file whose
# name contains a colon.
grep -s -H -e '' -- /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources
