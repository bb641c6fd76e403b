"""What the README promises to somebody who has nothing but it: ``make fresh``. Not part of
``make test``, as it installs everything anew."""
