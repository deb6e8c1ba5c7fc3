"""Says READY, stays for argv[2] seconds (0 by default) and exits with status argv[1]."""

import sys
import time

print("READY", flush=True)
if len(sys.argv) > 2:
    time.sleep(float(sys.argv[2]))
sys.exit(int(sys.argv[1]))
