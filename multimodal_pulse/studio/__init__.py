"""The studio: a page in the browser on which pictures are searched. It needs `pip install 'multimodal-pulse[studio]'`.

The page calls the same functions as the command line. `app.py` has the addresses, `worker.py` the process that
searches, `work.py` what it does, `page/` what the browser gets.
"""
