"""Training: how a stage learns from captioned clips, whatever its network.

| what | file |
|---|---|
| a recipe: phases of steps, and what is drawn at random | `recipe.py` |
| the base of what families write: a module whose forward is the loss of a batch | `stage_training.py` |
| the diffusion loss | `diffusion.py` |
| clips and captions, batch by batch | `batch.py`, `text_conditioning.py` |
| which parts of a preset are trained | `parts.py` |
| lists of video files, and which can be used | `listing.py`, `list_check.py` |
| clips from video files | `video_files.py`, `video_reading.py`, `video_frames.py`, `video_source.py`, `picture.py` |
| the loop, resumable | `loop.py`, `run_state.py`, `averaging.py`, `stopping.py` |
| logs, sample sheets and loss curves | `run_log.py`, `curves.py`, `progress.py` |
"""
