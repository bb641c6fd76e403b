"""What is measured: one module per command, each an async function that yields result rows."""
