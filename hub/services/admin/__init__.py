"""What administrators see and do, over the whole cluster. Nothing here knows how it is asked."""
