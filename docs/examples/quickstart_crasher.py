"""Works for up to 20 seconds, then crashes."""

import random
import time

seconds = random.randint(0, 20)  # noqa: S311 - chance, not a secret
print(f"working; the crash comes in {seconds} seconds")
time.sleep(seconds)
raise SystemExit("crashed, as announced")
